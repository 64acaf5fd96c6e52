//! Every platform's scenarios, through the tables: the events that are stored are those the scenario promises.

use conformance::{Case, Scenario, Suite};
use platform::{
    Connection, Delivery, Description, Fetched, Mapping, Platform, Request, Secrets, Unverified, Verdict,
};

use super::*;

macro_rules! suites {
    ($($platform:ident $folder:literal $path:literal;)*) => {
        $(#[path = $path] mod $platform;)*

        /// By the platform's name.
        fn suites() -> Vec<Suite> {
            vec![$(Suite {
                folder: concat!(env!("CARGO_MANIFEST_DIR"), "/../", $folder),
                ..$platform::SUITE
            }),*]
        }
    };
}

suites! {
    bigcommerce "bigcommerce" "../../../bigcommerce/tests/it/suite.rs";
    custom "custom" "../../../custom/tests/it/suite.rs";
    dutchie "dutchie" "../../../dutchie/tests/it/suite.rs";
    lightspeed "lightspeed" "../../../lightspeed/tests/it/suite.rs";
    magento1 "magento1" "../../../magento1/tests/it/suite.rs";
    magento2 "magento2" "../../../magento2/tests/it/suite.rs";
    mi9 "mi9" "../../../mi9/tests/it/suite.rs";
    opencart "opencart" "../../../opencart/tests/it/suite.rs";
    prestashop "prestashop" "../../../prestashop/tests/it/suite.rs";
    salesforce_commerce_cloud "salesforce-commerce-cloud" "../../../salesforce-commerce-cloud/tests/it/suite.rs";
    shift4shop "shift4shop" "../../../shift4shop/tests/it/suite.rs";
    shopbase "shopbase" "../../../shopbase/tests/it/suite.rs";
    shopify "shopify" "../../../shopify/tests/it/suite.rs";
    smile "smile" "../../../smile/tests/it/suite.rs";
    spree "spree" "../../../spree/tests/it/suite.rs";
    volusion "volusion" "../../../volusion/tests/it/suite.rs";
    wix "wix" "../../../wix/tests/it/suite.rs";
    woocommerce "woocommerce" "../../../woocommerce/tests/it/suite.rs";
}

/// An adapter whose requests are answered by the scenario.
struct Answered {
    suite: Suite,
    cases: Vec<(Delivery, Case)>,
}

impl Platform for Answered {
    fn name(&self) -> &'static str {
        self.suite.platform.name()
    }

    fn description(&self) -> Description {
        self.suite.platform.description()
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        connection: &Connection,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Verdict {
        self.suite.platform.verify(request, body, connection, secrets, now)
    }

    fn facts(&self, delivery: &Delivery, _: &Connection, _: &[Fetched]) -> Mapping {
        let (_, case) = self.cases.iter().find(|(known, _)| known == delivery).unwrap();
        case.mapping(&self.suite, delivery)
    }
}

/// The stored events in one line each, after the deliveries came in this order, and each `times` times.
async fn stored(suite: Suite, scenario: &Scenario, backwards: bool, times: usize) -> Vec<String> {
    let world = World::start().await;
    let cases: Vec<(Delivery, Case)> = scenario
        .deliveries
        .iter()
        .filter_map(|case| Some((case.delivery(&suite).ok()?, case.clone())))
        .collect();
    let connection = ConnectionRecord {
        id: "conn-1".to_owned(),
        platform: suite.platform.name().to_owned(),
        name: "A shop".to_owned(),
        settings: scenario.settings.clone(),
        secret_names: Vec::new(),
        status: ConnectionStatus::Active,
        created_at: world.now(),
        updated_at: world.now(),
    };
    world.store.create_connection(&connection).await.unwrap();
    let mut deliveries: Vec<Delivery> = cases.iter().map(|(delivery, _)| delivery.clone()).collect();
    if backwards {
        deliveries.reverse();
    }
    let answered: &'static [&'static dyn Platform] =
        Box::leak(Box::new([Box::leak(Box::new(Answered { suite, cases })) as &'static dyn Platform]));
    let shop = Shop { mapper: mapper(&world).with_platforms(answered), world };
    for delivery in deliveries {
        let message = delivery.to_message().unwrap();
        for _ in 0..times {
            assert_eq!(shop.deliver(std::slice::from_ref(&message)).await, [] as [usize; 0]);
        }
    }
    assert_eq!(shop.world.take_sent(testing::DEAD_LETTER_QUEUE), []);
    let mut lines: Vec<String> = shop.events().iter().map(|(_, event)| conformance::summary(event)).collect();
    lines.sort();
    lines
}

/// The lines without their currencies.
fn amounts(lines: &[String]) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.iter().map(|line| conformance::without_currency(line)).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn every_platforms_scenarios_end_in_the_events_they_promise() {
    let mut wrong = Vec::new();
    for suite in suites() {
        for (name, scenario) in suite.all_scenarios() {
            let mut promised = scenario.expect.clone();
            promised.sort();
            let runs: &[(bool, usize)] =
                if scenario.ordered { &[(false, 2)] } else { &[(false, 2), (true, 1)] };
            for (backwards, times) in runs {
                let got = stored(suite, &scenario, *backwards, *times).await;
                // What comes before its order may not know the order's currency.
                let alike = if *backwards { amounts(&got) == amounts(&promised) } else { got == promised };
                if !alike {
                    let platform = suite.platform.name();
                    wrong.push(format!(
                        "{platform}/{name} (backwards: {backwards}):\npromised {promised:#?}\ngot {got:#?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_platform_has_scenarios() {
    let tested: Vec<&str> = suites().iter().map(|suite| suite.platform.name()).collect();
    let registered: Vec<&str> = platforms::PLATFORMS.iter().map(|platform| platform.name()).collect();
    assert_eq!(tested, registered);
}
