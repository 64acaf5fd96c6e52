//! The receiver of ShopBase's webhooks: `POST /webhooks/shopbase/{connection_id}`, every topic of ShopBase,
//! HMAC-SHA256 in `X-ShopBase-Hmac-SHA256` over the raw body.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    platform::receiver::run(&shopbase::Shopbase).await
}
