//! Lines of orders, checkouts and carts.

use canonical::fact::Line;
use canonical::money::Decimal;
use platform::lenient::{Dropped, Field, Id, Object, Objects};

use crate::payload::{self, Discount, LineItem, PageUrl, Translated};
use crate::reader::Reader;

/// The apps whose items are the products of the catalog: Wix Stores, by its ids. Bookings, events and plans
/// are sold by others.
/// Source: <https://dev.wix.com/docs/rest/business-solutions/e-commerce/orders/introduction>.
const STORES: [&str; 2] = ["1380b703-ce81-ff05-f115-39571d94dfcd", "215238eb-22a5-4c36-9e7b-e7c08025e04e"];
/// Stands for "no variant".
const NO_VARIANT: &str = "00000000-0000-0000-0000-000000000000";

/// The lines. `tax_included` says which of a line's two totals agrees with the prices.
pub(crate) fn lines(reader: &mut Reader<'_>, items: Objects<LineItem>, tax_included: bool) -> Vec<Line> {
    let items = reader.dropped.list("lineItems", items);
    let lines = items.into_iter().enumerate();
    lines.map(|(index, Object(item))| line(reader, index, item, tax_included)).collect()
}

fn line(reader: &mut Reader<'_>, index: usize, item: LineItem, tax_included: bool) -> Line {
    let price = reader.amount("lineItems.price", item.price);
    let full_price = reader.amount("lineItems.priceBeforeDiscounts", item.price_before_discounts);
    let untaxed = reader.amount("lineItems.totalPriceBeforeTax", item.total_price_before_tax);
    let taxed = reader.amount("lineItems.totalPriceAfterTax", item.total_price_after_tax);
    let charged = reader.amount("lineItems.lineItemPrice", item.line_item_price);
    let order_discount = reader.amount("lineItems.totalDiscount", item.total_discount);
    let discount = order_discount.or_else(|| reader.amount("lineItems.discount", item.discount));

    let dropped = &mut reader.dropped;
    let quantity = dropped.take("lineItems.quantity", item.quantity).unwrap_or(Decimal::ONE);
    let unit_price = full_price.or(price);
    // A discount is off the price before discounts; without one the price already has it.
    let computed = || match discount {
        Some(discount) => unit_price?.checked_mul(quantity)?.checked_sub(discount),
        None => price.or(unit_price)?.checked_mul(quantity),
    };
    let id = dropped.take("lineItems.id", item.id).map(|Id(id)| id);
    let reference = dropped.take("lineItems.catalogReference", item.catalog_reference);
    let item_id = Reference::read(dropped, reference);
    let image = [item.image, item.media].into_iter().find_map(|media| media.ok()?.0.url.ok());
    Line {
        line_id: id.unwrap_or_else(|| format!("#{index}")),
        product_id: item_id.product,
        variant_id: item_id.variant,
        sku: item.physical_properties.ok().and_then(|Object(item)| dropped.take("lineItems.sku", item.sku)),
        name: original(dropped.take("lineItems.productName", item.product_name)).unwrap_or_default(),
        variant_name: variant_name(dropped, item.description_lines, &item_id.questions),
        quantity,
        unit_price,
        total: if tax_included { taxed } else { untaxed }.or(charged).or_else(computed),
        image_url: image.filter(|url| url.starts_with("http")),
        product_url: page(dropped, "lineItems.url", item.url),
        gift_card: item.item_type.ok().is_some_and(|Object(kind)| kind.preset.is("GIFT_CARD")),
        ..Line::default()
    }
}

/// What a line is a line of.
#[derive(Default)]
struct Reference {
    product: Option<String>,
    variant: Option<String>,
    /// What the buyer was asked to write.
    questions: Vec<String>,
}

impl Reference {
    fn read(dropped: &mut Dropped, reference: Option<Object<payload::CatalogReference>>) -> Self {
        let Some(Object(reference)) = reference else { return Self::default() };
        let options = dropped.take("lineItems.catalogReference", reference.options);
        let options = options.map(|Object(options)| options).unwrap_or_default();
        let questions = options
            .custom_text_fields
            .ok()
            .map(|Object(fields)| fields.into_iter().map(|(question, _)| question).collect());
        let questions = questions.unwrap_or_default();
        let app = reference.app_id.ok();
        if app.is_some_and(|app| !STORES.iter().any(|stores| stores.eq_ignore_ascii_case(&app))) {
            return Self { questions, ..Self::default() };
        }
        let variant = dropped.take("lineItems.variantId", options.variant_id).map(|Id(id)| id);
        Self {
            product: dropped.take("lineItems.catalogItemId", reference.catalog_item_id).map(|Id(id)| id),
            variant: variant.filter(|variant| variant != NO_VARIANT),
            questions,
        }
    }
}

/// The choices that were made, such as `Medium / Grey`; what the buyer wrote is no choice.
fn variant_name(
    dropped: &mut Dropped,
    lines: Objects<payload::DescriptionLine>,
    questions: &[String],
) -> Option<String> {
    let lines = dropped.list("lineItems.descriptionLines", lines).into_iter();
    let choices = lines.filter_map(|Object(line)| {
        let name = original(line.name.ok()).unwrap_or_default();
        let value = original(line.plain_text.ok()).or_else(|| original(line.color_info.ok()));
        value.filter(|_| !questions.contains(&name))
    });
    let choices: Vec<String> = choices.collect();
    Some(choices.join(" / ")).filter(|name| !name.is_empty())
}

/// The shop's own wording: the buyer's language would give one product many names.
fn original(text: Option<Object<Translated>>) -> Option<String> {
    let Object(text) = text?;
    text.original.ok().or_else(|| text.translated.ok())
}

/// A page's whole address.
pub(crate) fn page(dropped: &mut Dropped, name: &'static str, url: Field<Object<PageUrl>>) -> Option<String> {
    let Object(url) = dropped.take(name, url)?;
    let (base, path) = (dropped.take(name, url.url)?, dropped.take(name, url.relative_path)?);
    Some(format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/')))
}

/// The codes that were used; a merchant's discount and a rule have none.
pub(crate) fn discount_codes(dropped: &mut Dropped, discounts: Objects<Discount>) -> Vec<String> {
    let discounts = dropped.list("appliedDiscounts", discounts).into_iter();
    let coupons = discounts.filter_map(|Object(discount)| Some(discount.coupon.ok()?.0.code));
    let codes: Vec<_> = coupons.collect();
    codes.into_iter().filter_map(|code| dropped.take("appliedDiscounts.coupon.code", code)).collect()
}

/// A part of a line: its share of what the whole line costs.
pub(crate) fn share(whole: &Line, quantity: Decimal) -> Line {
    let part = |total: Decimal| {
        if quantity == whole.quantity {
            return Some(total);
        }
        // More decimals than the prices have would be an invention.
        Some(total.checked_mul(quantity)?.checked_div(whole.quantity)?.round_dp(total.scale()))
    };
    Line { quantity, total: whole.total.and_then(part), ..whole.clone() }
}
