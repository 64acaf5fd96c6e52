//! What a page of sales needs beside itself, in as few requests as possible: the shops, the categories and the account's
//! currency from kept lists, and the sales that refunded lines were sold in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use platform::{ApiRequest, Fetched};
use serde_json::{Map, Value};

use crate::api::{self, Api};
use crate::feed::SALE_RELATIONS;

/// Shops and categories hardly change.
const KEPT: Duration = Duration::from_hours(1);
/// Most rounds of requests: whoever makes them has a limit as well.
const MAX_ROUNDS: usize = 10;
/// Rounds after which the list of categories is not followed any further: those of the page are asked for by their ids.
const MAX_LISTED: usize = 7;

/// What the joins know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The page's sales.
    pub(crate) sales: Vec<Value>,
    /// By id.
    pub(crate) shops: BTreeMap<String, Value>,
    /// Full path names by id.
    pub(crate) categories: BTreeMap<String, Value>,
    /// The account's.
    pub(crate) currency: Option<Value>,
    /// By the id of a line, the sale it belongs to: the page's own lines, and those that are given back.
    pub(crate) sold_in: BTreeMap<String, String>,
}

#[derive(Clone, Copy)]
enum Want {
    Sales,
    Shops,
    Categories,
    Account,
    Lines,
}

type Wanted = Vec<(Want, ApiRequest)>;
/// All that is needed, or what must be asked first; the outer error is an answer that cannot be read.
type Outcome = Result<Result<Known, Vec<ApiRequest>>, String>;

/// The answers of all rounds so far.
#[derive(Clone, Copy)]
pub(crate) struct Joins<'a> {
    pub(crate) api: Api<'a>,
    /// The connection says which currency: nobody need be asked.
    pub(crate) has_currency: bool,
    pub(crate) answers: &'a [Fetched],
}

impl Joins<'_> {
    /// What these sales need.
    pub(crate) fn about(self, sales: Vec<Value>) -> Outcome {
        let mut known = Known { sales, ..Known::default() };
        let wanted = self.wanted(&mut known);
        self.ask(known, wanted, false)
    }

    /// The sales of these shipments, and what those need.
    pub(crate) fn shipped(self, ship_tos: &[&Value]) -> Outcome {
        let ids: BTreeSet<&str> = ship_tos.iter().filter_map(|ship_to| api::id(ship_to, "saleID")).collect();
        let lists =
            self.in_lists("Sale", "saleID", ids, &[("archived", "true"), ("load_relations", SALE_RELATIONS)]);
        self.ask(Known::default(), lists.map(|request| (Want::Sales, request)).collect(), true)
    }

    /// Takes the answers round by round, as they were asked for.
    fn ask(self, mut known: Known, mut wanted: Wanted, mut are_sales_to_come: bool) -> Outcome {
        let mut answers = self.answers.iter();
        for round in 0..MAX_ROUNDS {
            if wanted.is_empty() {
                return Ok(Ok(known));
            }
            if answers.len() < wanted.len() {
                return Ok(Err(wanted.into_iter().map(|(_, request)| request).collect()));
            }
            let mut more = Wanted::new();
            for ((want, request), answer) in wanted.into_iter().zip(&mut answers) {
                let body = api::body(answer)?;
                known.learn(want, &body);
                match (want, self.api.next(&request, &body)?) {
                    (_, None) => {}
                    (Want::Categories, Some(_)) if round >= MAX_LISTED => {
                        let unnamed = self.in_lists("Category", "categoryID", known.unnamed(), &[]);
                        more.extend(unnamed.map(|request| (Want::Categories, request)));
                    }
                    (_, Some(next)) => more.push((want, next)),
                }
            }
            if more.is_empty() && std::mem::take(&mut are_sales_to_come) {
                more = self.wanted(&mut known);
            }
            wanted = more;
        }
        Err("a list does not end".to_owned())
    }

    fn wanted(self, known: &mut Known) -> Wanted {
        let mut wanted = Wanted::new();
        if known.sales.is_empty() {
            return wanted;
        }
        known.own_lines();
        let lines = || known.sales.iter().flat_map(lines);
        let list = |entity, parameters: &[_]| self.api.list(entity, parameters).kept_for(KEPT);
        wanted.push((Want::Shops, list("Shop", &[("archived", "true")])));
        if lines().any(|line| api::id(&line["Item"], "categoryID").is_some()) {
            wanted.push((Want::Categories, list("Category", &[])));
        }
        if !self.has_currency {
            wanted.push((Want::Account, self.api.account().kept_for(KEPT)));
        }
        // What was sold in a sale of the same page need not be asked for.
        let parents: BTreeSet<&str> =
            lines().filter_map(parent).filter(|parent| !known.sold_in.contains_key(*parent)).collect();
        let parents = self.in_lists("SaleLine", "saleLineID", parents, &[]);
        wanted.extend(parents.map(|request| (Want::Lines, request)));
        wanted
    }

    /// Records by their ids, as many as one request may name.
    fn in_lists(
        self,
        entity: &str,
        name: &str,
        ids: BTreeSet<&str>,
        parameters: &[(&str, &str)],
    ) -> impl Iterator<Item = ApiRequest> {
        let ids: Vec<&str> = ids.into_iter().collect();
        let requests: Vec<ApiRequest> = ids
            .chunks(api::PAGE_SIZE)
            .map(|ids| {
                let ids = api::any_of(ids);
                let parameters: Vec<_> = [(name, ids.as_str())].iter().chain(parameters).copied().collect();
                self.api.list(entity, &parameters)
            })
            .collect();
        requests.into_iter()
    }
}

impl Known {
    fn learn(&mut self, want: Want, body: &Value) {
        match want {
            Want::Sales => self.sales.extend_from_slice(api::many(&body["Sale"])),
            Want::Shops => {
                for shop in api::many(&body["Shop"]) {
                    let about: Map<String, Value> = ["name", "timeZone"]
                        .into_iter()
                        .map(|name| (name.to_owned(), shop[name].clone()))
                        .collect();
                    self.shops.extend(api::id(shop, "shopID").map(|id| (id.to_owned(), about.into())));
                }
            }
            Want::Categories => {
                for category in api::many(&body["Category"]) {
                    let id = api::id(category, "categoryID");
                    self.categories.extend(id.map(|id| (id.to_owned(), category["fullPathName"].clone())));
                }
            }
            Want::Account => {
                let account = if body["Account"].is_object() { &body["Account"] } else { body };
                self.currency = Some(account["defaultCurrency"]["code"].clone());
            }
            Want::Lines => {
                for line in api::many(&body["SaleLine"]) {
                    if let (Some(line), Some(sale)) = (api::id(line, "saleLineID"), api::id(line, "saleID")) {
                        self.sold_in.insert(line.to_owned(), sale.to_owned());
                    }
                }
            }
        }
    }

    fn own_lines(&mut self) {
        for sale in &self.sales {
            let Some(sale_id) = api::id(sale, "saleID") else { continue };
            let lines = lines(sale).iter().filter_map(|line| api::id(line, "saleLineID"));
            self.sold_in.extend(lines.map(|line| (line.to_owned(), sale_id.to_owned())));
        }
    }

    /// Categories of items whose names are not known.
    fn unnamed(&self) -> BTreeSet<&str> {
        let items = self.sales.iter().flat_map(lines).map(|line| &line["Item"]);
        let categories = items.filter_map(|item| api::id(item, "categoryID"));
        categories.filter(|id| !self.categories.contains_key(*id)).collect()
    }
}

/// A sale's lines.
pub(crate) fn lines(sale: &Value) -> &[Value] {
    api::many(&sale["SaleLines"]["SaleLine"])
}

/// The line that a line gives back.
pub(crate) fn parent(line: &Value) -> Option<&str> {
    api::id(line, "parentSaleLineID")
}
