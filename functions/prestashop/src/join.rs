//! What is asked for together with a page, and the records that come of both: each holds all that its reading needs.

use std::collections::{BTreeSet, HashMap};

use jiff::tz::TimeZone;
use platform::{ApiRequest, Connection, Fetched, Record};
use serde_json::Value;

use crate::feed::Source;
use crate::record::{self, in_language, only, record};
use crate::webservice::{Row, Webservice, any_of, associated, id, ids, rows, text};

/// Ids in one address, which servers take up to some thousand characters of.
const IDS_PER_REQUEST: usize = 200;

/// Settings of the shop that are read: what its states stand for, its zone, its language.
const CONFIGURATION: &str = "PS_OS_CANCELED|PS_OS_REFUND|PS_OS_ERROR|PS_TIMEZONE|PS_LANG_DEFAULT";
pub(crate) const CUSTOMER: &[&str] = &[
    "id",
    "email",
    "firstname",
    "lastname",
    "company",
    "newsletter",
    "newsletter_date_add",
    "is_guest",
    "deleted",
    "date_add",
    "date_upd",
];
const ADDRESS: &[&str] = &[
    "id",
    "id_country",
    "id_state",
    "company",
    "firstname",
    "lastname",
    "address1",
    "address2",
    "postcode",
    "city",
    "phone",
    "phone_mobile",
];
const ORDER: &[&str] = &[
    "id",
    "reference",
    "id_customer",
    "current_state",
    "date_add",
    "date_upd",
    "id_shop",
    "total_discounts_tax_incl",
    "total_paid_tax_incl",
    "total_paid_real",
];
const ORDER_ROW: &[&str] = &[
    "id",
    "product_id",
    "product_attribute_id",
    "product_quantity",
    "product_name",
    "product_reference",
    "unit_price_tax_incl",
];
const HISTORY: &[&str] = &["id", "id_order", "id_order_state", "date_add"];
const SLIP: &[&str] = &[
    "id",
    "id_order",
    "total_products_tax_excl",
    "total_products_tax_incl",
    "total_shipping_tax_incl",
    "amount",
    "shipping_cost_amount",
    "order_slip_type",
    "date_add",
];
const ORDER_CARRIER: &[&str] = &["id", "id_order", "id_carrier", "tracking_number", "date_add"];
const CART: &[&str] = &["id", "id_customer", "date_add", "date_upd"];
const CART_ROW: &[&str] = &["id_product", "id_product_attribute", "id_customization", "quantity"];
/// What lines and the catalog take from products.
const PRODUCT: &[&str] =
    &["id", "name", "reference", "manufacturer_name", "id_category_default", "id_default_image"];
const CATALOG_ONLY: &[&str] = &["description_short", "active", "available_for_order", "date_upd"];
/// A name of ours: the price with tax is computed for the request.
const WITH_TAX: &str = "price_with_tax&price[price_with_tax][use_tax]=1";

/// Why there are no records yet.
pub(crate) enum Stop {
    /// These requests must be made first.
    Ask(Vec<ApiRequest>),
    /// An answer cannot be read. The text has no content.
    Bad(String),
}

/// The shop's configuration.
pub(crate) fn configuration(webservice: &Webservice<'_>) -> ApiRequest {
    let names = CONFIGURATION.replace('|', "%7C");
    webservice.list("configurations", &format!("display=full&filter[name]=[{names}]"))
}

/// The zone of local times, with its name: the setting's, else the shop's, else UTC.
pub(crate) fn zone(connection: &Connection, configuration: &[Row]) -> Result<(String, TimeZone), String> {
    let name = connection.text("time_zone").or_else(|| value(configuration, "PS_TIMEZONE")).unwrap_or("UTC");
    let zone = TimeZone::get(name).map_err(|_| "the shop's time zone is not known: set time_zone")?;
    Ok((name.to_owned(), zone))
}

/// The value of a name. Where shops of one installation differ, that of the installation.
fn value<'r>(configuration: &'r [Row], name: &str) -> Option<&'r str> {
    let rows = configuration.iter().filter(|row| text(row, "name") == Some(name));
    let row = rows.min_by_key(|row| (id(row, "id_shop"), id(row, "id_shop_group")))?;
    text(row, "value")
}

/// The parameter that names fields.
pub(crate) fn display(fields: &[&str]) -> String {
    format!("display=[{}]", fields.join(","))
}

/// Products as the catalog needs them.
pub(crate) fn product_query() -> String {
    let fields = [PRODUCT, CATALOG_ONLY].concat().join(",");
    let (name, parameter) = WITH_TAX.split_once('&').unwrap_or_default();
    format!("display=[{fields},{name}]&{parameter}")
}

/// A shop while a page is completed.
pub(crate) struct Shop<'a> {
    connection: &'a Connection,
    webservice: &'a Webservice<'a>,
    answers: std::slice::Iter<'a, Fetched>,
}

/// Requests of one round, each for a resource.
#[derive(Default)]
struct Round(Vec<(&'static str, ApiRequest)>);

/// Rows by their resource.
type Tables = HashMap<&'static str, Vec<Row>>;

impl<'a> Shop<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        webservice: &'a Webservice<'a>,
        joined: &'a [Fetched],
    ) -> Self {
        Self { connection, webservice, answers: joined.iter() }
    }

    /// The records of a page.
    pub(crate) fn records(mut self, source: Source, rows: Vec<Row>) -> Result<Vec<Record>, Stop> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        match source {
            Source::Orders => self.orders(&rows),
            Source::Refunds => {
                let mut round = Round::default();
                self.by_ids(&mut round, "orders", "display=full", "id", &ids(&rows, &["id_order"]));
                let orders = self.ask(round)?.remove("orders").unwrap_or_default();
                self.orders(&orders)
            }
            Source::Customers | Source::Subscribers => self.customers(rows),
            Source::Carts => self.carts(&rows),
            Source::Products => self.products(rows),
        }
    }

    /// The answers to a round, once they are there.
    fn ask(&mut self, Round(round): Round) -> Result<Tables, Stop> {
        if self.answers.len() < round.len() {
            return Err(Stop::Ask(round.into_iter().map(|(_, request)| request).collect()));
        }
        let mut tables = Tables::new();
        for ((resource, _), answer) in round.into_iter().zip(&mut self.answers) {
            let rows = rows(answer).map_err(|error| Stop::Bad(format!("{resource}: {error}")))?;
            tables.entry(resource).or_default().extend(rows);
        }
        Ok(tables)
    }

    fn list(&self, round: &mut Round, resource: &'static str, fields: &[&str]) {
        round.0.push((resource, self.webservice.list(resource, &display(fields))));
    }

    fn by_ids(
        &self,
        round: &mut Round,
        resource: &'static str,
        display: &str,
        field: &str,
        ids: &BTreeSet<u64>,
    ) {
        let ids: Vec<u64> = ids.iter().copied().collect();
        for some in ids.chunks(IDS_PER_REQUEST) {
            let query = format!("{display}&{}", any_of(field, some));
            round.0.push((resource, self.webservice.get(resource, &query)));
        }
    }

    fn configuration(&self, round: &mut Round) {
        round.0.push(("configurations", configuration(self.webservice)));
    }

    fn zone(&self, tables: &Tables) -> Result<Value, Stop> {
        let (name, _) = zone(self.connection, table(tables, "configurations")).map_err(Stop::Bad)?;
        Ok(name.into())
    }

    fn orders(&mut self, orders: &[Row]) -> Result<Vec<Record>, Stop> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let mut round = Round::default();
        self.configuration(&mut round);
        self.list(&mut round, "order_states", &["id", "shipped"]);
        self.list(&mut round, "currencies", &["id", "iso_code"]);
        self.list(&mut round, "countries", &["id", "iso_code"]);
        self.list(&mut round, "states", &["id", "iso_code", "name"]);
        self.list(&mut round, "carriers", &["id", "name"]);
        self.list(&mut round, "categories", &["id", "name"]);
        let own = ids(orders, &["id"]);
        for (resource, fields) in
            [("order_histories", HISTORY), ("order_slip", SLIP), ("order_carriers", ORDER_CARRIER)]
        {
            self.by_ids(&mut round, resource, &display(fields), "id_order", &own);
        }
        // A rule that was taken off again is marked, by releases that keep it.
        self.by_ids(&mut round, "order_cart_rules", "display=full", "id_order", &own);
        let customers = ids(orders, &["id_customer"]);
        self.by_ids(&mut round, "customers", &display(CUSTOMER), "id", &customers);
        let addresses = ids(orders, &["id_address_invoice", "id_address_delivery"]);
        self.by_ids(&mut round, "addresses", &display(ADDRESS), "id", &addresses);
        let lines = orders.iter().flat_map(|order| associated(order, "order_rows"));
        self.by_ids(&mut round, "products", &display(PRODUCT), "id", &ids(lines, &["product_id"]));
        let mut tables = self.ask(round)?;

        let mut round = Round::default();
        let rules = ids(table(&tables, "order_cart_rules"), &["id_cart_rule"]);
        self.by_ids(&mut round, "cart_rules", "display=[id,code]", "id", &rules);
        tables.extend(self.ask(round)?);
        let zone = self.zone(&tables)?;
        let tables = Joined::new(tables);
        Ok(orders.iter().filter_map(|order| tables.order(order, &zone)).collect())
    }

    fn customers(&mut self, customers: Vec<Row>) -> Result<Vec<Record>, Stop> {
        let mut round = Round::default();
        self.configuration(&mut round);
        let tables = self.ask(round)?;
        let zone = self.zone(&tables)?;
        let records = customers.into_iter().filter_map(|customer| {
            let id = id(&customer, "id")?;
            let body = [("time_zone", zone.clone()), ("customer", only(&customer, CUSTOMER).into())];
            Some(record(record::CUSTOMER, id, object(body)))
        });
        Ok(records.collect())
    }

    /// Carts with something in them that have become no order.
    fn carts(&mut self, carts: &[Row]) -> Result<Vec<Record>, Stop> {
        let mut round = Round::default();
        self.configuration(&mut round);
        self.list(&mut round, "categories", &["id", "name"]);
        self.by_ids(&mut round, "orders", "display=[id,id_cart]", "id_cart", &ids(carts, &["id"]));
        let mut tables = self.ask(round)?;

        // Most carts became orders: of the others only is the rest asked for.
        let ordered = ids(table(&tables, "orders"), &["id_cart"]);
        let carts: Vec<&Row> =
            carts.iter().filter(|cart| id(cart, "id").is_some_and(|id| !ordered.contains(&id))).collect();
        let mut round = Round::default();
        let customers = ids(carts.iter().copied(), &["id_customer"]);
        self.by_ids(&mut round, "customers", &display(CUSTOMER), "id", &customers);
        let lines = carts.iter().flat_map(|cart| associated(cart, "cart_rows"));
        self.by_ids(&mut round, "products", &display(PRODUCT), "id", &ids(lines, &["id_product"]));
        tables.extend(self.ask(round)?);
        let zone = self.zone(&tables)?;
        let tables = Joined::new(tables);
        let records = carts.into_iter().filter_map(|cart| {
            let id = id(cart, "id")?;
            let rows = tables.lines(cart, "cart_rows", CART_ROW, "id_product");
            let customer = tables.one("customers", cart, "id_customer")?;
            let mut kept = only(cart, CART);
            kept.insert("rows".to_owned(), rows.into());
            let body = [
                ("time_zone", zone.clone()),
                ("cart", kept.into()),
                ("customer", only(customer, CUSTOMER).into()),
            ];
            Some(record(record::CART, id, object(body)))
        });
        Ok(records.collect())
    }

    fn products(&mut self, products: Vec<Row>) -> Result<Vec<Record>, Stop> {
        let mut round = Round::default();
        self.configuration(&mut round);
        self.list(&mut round, "categories", &["id", "name"]);
        let (name, parameter) = WITH_TAX.split_once('&').unwrap_or_default();
        let query = format!("display=[id,id_product,reference,{name}]&{parameter}");
        self.by_ids(&mut round, "combinations", &query, "id_product", &ids(&products, &["id"]));
        let tables = self.ask(round)?;
        let zone = self.zone(&tables)?;
        let tables = Joined::new(tables);
        let records = products.into_iter().filter_map(|mut product| {
            let id = id(&product, "id")?;
            in_language(&mut product, tables.language);
            tables.categorise(&mut product);
            let combinations = tables.many("combinations", id);
            let body = [
                ("time_zone", zone.clone()),
                ("product", product.into()),
                ("combinations", combinations.into()),
            ];
            Some(record(record::PRODUCT, id, object(body)))
        });
        Ok(records.collect())
    }
}

/// Rows by their ids.
struct Joined {
    tables: HashMap<&'static str, HashMap<u64, Row>>,
    /// Ids of the rows that belong to a row of another resource, such as an order's histories.
    members: HashMap<(&'static str, u64), Vec<u64>>,
    configuration: Row,
    language: Option<u64>,
}

impl Joined {
    fn new(tables: Tables) -> Self {
        let configuration = table(&tables, "configurations");
        let language = value(configuration, "PS_LANG_DEFAULT").and_then(|id| id.parse().ok());
        let states = CONFIGURATION.split('|').filter(|name| name.starts_with("PS_OS_"));
        let states = states.filter_map(|name| Some((name.to_owned(), value(configuration, name)?.into())));
        let configuration = states.collect();
        let mut members: HashMap<_, Vec<u64>> = HashMap::new();
        let mut by_id: HashMap<_, HashMap<_, _>> = HashMap::new();
        for (resource, rows) in tables {
            let owner = if resource == "combinations" { "id_product" } else { "id_order" };
            for mut row in rows {
                let Some(own) = id(&row, "id") else { continue };
                if let Some(owner) = id(&row, owner) {
                    members.entry((resource, owner)).or_default().push(own);
                }
                in_language(&mut row, language);
                by_id.entry(resource).or_default().insert(own, row);
            }
        }
        Self { tables: by_id, members, configuration, language }
    }

    /// The row that another one names.
    fn one(&self, resource: &str, row: &Row, field: &str) -> Option<&Row> {
        self.tables.get(resource)?.get(&id(row, field)?)
    }

    /// The rows that belong to another one.
    fn members(&self, resource: &'static str, owner: u64) -> impl Iterator<Item = &Row> {
        let ids = self.members.get(&(resource, owner)).into_iter().flatten();
        ids.filter_map(move |id| self.tables.get(resource)?.get(id))
    }

    fn many(&self, resource: &'static str, owner: u64) -> Vec<Value> {
        self.members(resource, owner).map(|row| row.clone().into()).collect()
    }

    fn text(&self, resource: &str, row: &Row, field: &str, name: &str) -> Option<&str> {
        text(self.one(resource, row, field)?, name)
    }

    /// Names a product's category.
    fn categorise(&self, product: &mut Row) {
        if let Some(name) = self.text("categories", product, "id_category_default", "name") {
            let name = name.into();
            product.insert("category".to_owned(), name);
        }
    }

    /// The lines of an order or a cart, each with its product.
    fn lines(&self, row: &Row, association: &str, fields: &[&str], product: &str) -> Vec<Value> {
        let lines = associated(row, association).map(|line| {
            let mut kept = only(line, fields);
            if let Some(found) = self.one("products", line, product) {
                let mut found = only(found, PRODUCT);
                self.categorise(&mut found);
                kept.insert("product".to_owned(), found.into());
            }
            kept.into()
        });
        lines.collect()
    }

    fn address(&self, order: &Row, field: &str) -> Option<Value> {
        let row = self.one("addresses", order, field)?;
        let mut address = only(row, ADDRESS);
        for (key, found) in [
            ("country_code", self.text("countries", row, "id_country", "iso_code")),
            ("state", self.text("states", row, "id_state", "name")),
            ("state_code", self.text("states", row, "id_state", "iso_code")),
        ] {
            if let Some(found) = found {
                address.insert(key.to_owned(), found.into());
            }
        }
        Some(address.into())
    }

    fn order(&self, order: &Row, zone: &Value) -> Option<Record> {
        let id = id(order, "id")?;
        let mut kept = only(order, ORDER);
        kept.insert("rows".to_owned(), self.lines(order, "order_rows", ORDER_ROW, "product_id").into());
        let histories: Vec<&Row> = self.members("order_histories", id).collect();
        let current = ids([order], &["current_state"]);
        let used: BTreeSet<u64> = &ids(histories.iter().copied(), &["id_order_state"]) | &current;
        let states = used.iter().filter_map(|id| self.tables.get("order_states")?.get(id));
        let states: Vec<Value> = states.map(|row| row.clone().into()).collect();
        let carriers = self.members("order_carriers", id).map(|row| {
            let mut carrier = row.clone();
            if let Some(name) = self.text("carriers", row, "id_carrier", "name") {
                carrier.insert("carrier_name".to_owned(), name.into());
            }
            carrier.into()
        });
        let carriers: Vec<Value> = carriers.collect();
        let rules = self.members("order_cart_rules", id).map(|row| {
            let mut rule = only(row, &["name", "deleted"]);
            if let Some(code) = self.text("cart_rules", row, "id_cart_rule", "code") {
                rule.insert("code".to_owned(), code.into());
            }
            rule.into()
        });
        let rules: Vec<Value> = rules.collect();
        let body = [
            ("time_zone", Some(zone.clone())),
            ("order", Some(kept.into())),
            ("currency", self.text("currencies", order, "id_currency", "iso_code").map(Into::into)),
            ("customer", self.one("customers", order, "id_customer").map(|row| only(row, CUSTOMER).into())),
            ("billing_address", self.address(order, "id_address_invoice")),
            ("shipping_address", self.address(order, "id_address_delivery")),
            (
                "histories",
                Some(histories.into_iter().map(|row| row.clone().into()).collect::<Vec<Value>>().into()),
            ),
            ("states", Some(states.into())),
            ("configuration", Some(self.configuration.clone().into())),
            ("slips", Some(self.many("order_slip", id).into())),
            ("carriers", Some(carriers.into())),
            ("cart_rules", Some(rules.into())),
        ];
        let said = body.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Some(record(record::ORDER, id, object(said)))
    }
}

fn table<'t>(tables: &'t Tables, resource: &str) -> &'t [Row] {
    tables.get(resource).map(Vec::as_slice).unwrap_or_default()
}

fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Row {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
