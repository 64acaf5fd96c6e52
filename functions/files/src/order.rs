//! Rows of CSV that are lines of orders: the columns, and one order out of its rows.

use canonical::fact::{Cancellation, Line, OrderDetail, OrderSnapshot, Refund, Shipment};
use canonical::money::{Decimal, decimal_from_str};
use canonical::{Currency, Instant, Money, Person};
use csv::{ByteRecord, StringRecord};
use jiff::tz::TimeZone;
use platform::Connection;
use platform::lenient::{Lenient, Moment};
use serde_json::Value;

/// What separates the entries of one cell.
const SEPARATOR: char = '|';

/// The columns that are known, by their names.
const COLUMNS: [&str; 35] = [
    "order_id",
    "order_number",
    "placed_at",
    "updated_at",
    "cancelled_at",
    "cancel_reason",
    "fulfilled_at",
    "shipped_at",
    "tracking_numbers",
    "refunded_at",
    "refund_amount",
    "email",
    "phone_number",
    "country_code",
    "customer_id",
    "first_name",
    "last_name",
    "currency",
    "total",
    "total_discounts",
    "discount_codes",
    "source_name",
    "location",
    "line_id",
    "product_id",
    "variant_id",
    "sku",
    "product_name",
    "variant_name",
    "quantity",
    "unit_price",
    "line_total",
    "categories",
    "brand",
    "product_url",
];

/// The columns of a file of orders: for each cell a known name, or its own.
#[derive(Clone, Debug)]
pub(crate) struct Columns(Vec<Result<&'static str, String>>);

/// One row by its columns.
struct Row<'a> {
    columns: &'a Columns,
    cells: &'a StringRecord,
    /// Of times that do not say theirs.
    zone: Option<&'a TimeZone>,
}

impl Columns {
    /// Whether a header is one of orders.
    pub(crate) fn fits(header: &StringRecord) -> bool {
        header.iter().any(|name| named(name) == Ok("order_id"))
    }

    /// The columns by the header; an error is a reason without content.
    pub(crate) fn of(header: &StringRecord) -> Result<Self, String> {
        let columns: Vec<_> = header.iter().map(named).collect();
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].contains(column) {
                return Err(format!("column {} has the name of another", index + 1));
            }
        }
        for needed in ["quantity", "product_name"] {
            if !columns.contains(&Ok(needed)) {
                return Err(format!("no column {needed}"));
            }
        }
        Ok(Self(columns))
    }

    /// The id of the order that a row belongs to, even if the row is otherwise bad.
    pub(crate) fn order_id<'a>(&self, cells: &'a ByteRecord) -> Option<&'a str> {
        let index = self.0.iter().position(|column| *column == Ok("order_id"))?;
        let id = std::str::from_utf8(cells.get(index)?).ok()?;
        Some(id.trim()).filter(|id| !id.is_empty())
    }

    /// The order of these rows: what is said once stands in the first, every row is a line.
    /// Where the file is silent, the connection's settings say the zone and the currency.
    pub(crate) fn order(
        &self,
        rows: &[StringRecord],
        connection: &Connection,
    ) -> Result<OrderSnapshot, String> {
        let first = rows.first().ok_or("no rows")?;
        let zone = connection.time_zone("time_zone");
        let by_columns = |cells| Row { columns: self, cells, zone: zone.as_ref() };
        let row = by_columns(first);
        let mut person = Person {
            email: row.text("email"),
            phone: row.text("phone_number"),
            phone_country: row.text("country_code"),
            customer_id: row.text("customer_id"),
            ..Person::default()
        };
        for name in ["first_name", "last_name"] {
            if let Some(text) = row.text(name) {
                person.attributes.insert(name.to_owned(), text.into());
            }
        }
        let currency = row.currency()?.or_else(|| connection.currency("currency"));
        let lines = rows.iter().enumerate().map(|(index, cells)| by_columns(cells).line(index));
        let order_id = row.text("order_id").ok_or("no order_id")?;
        let shipment = row.time("shipped_at")?.map(|at| Shipment {
            shipment_id: order_id.clone(),
            at,
            company: None,
            tracking_numbers: row.list("tracking_numbers"),
            lines: Vec::new(),
        });
        let refund_amount = row.decimal("refund_amount")?.map(|amount| Money { amount, currency });
        let refunded_at = row.time("refunded_at")?;
        if refunded_at.is_none() && refund_amount.is_some_and(|money| !money.amount.is_zero()) {
            return Err("refund_amount without refunded_at".to_owned());
        }
        let refund = refunded_at.map(|at| Refund {
            refund_id: order_id.clone(),
            at,
            amount: refund_amount,
            reason: None,
        });
        let reason = row.text("cancel_reason");
        let detail = OrderDetail {
            number: row.text("order_number"),
            total: row.decimal("total")?.map(|amount| Money { amount, currency }),
            total_discounts: row.decimal("total_discounts")?,
            discount_codes: row.list("discount_codes"),
            lines: lines.collect::<Result<_, _>>()?,
            source_name: row.text("source_name"),
            location: row.text("location"),
            extra: row.others().collect(),
            ..OrderDetail::default()
        };
        Ok(OrderSnapshot {
            person,
            updated_at: row.time("updated_at")?,
            placed_at: row.time("placed_at")?,
            cancelled: row.time("cancelled_at")?.map(|at| Cancellation { at, reason }),
            fulfilled_at: row.time("fulfilled_at")?,
            shipments: shipment.into_iter().collect(),
            refunds: refund.into_iter().collect(),
            detail: Some(detail),
            order_id,
            ..OrderSnapshot::default()
        })
    }
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Option<&str> {
        let index =
            self.columns.0.iter().position(|column| column.as_ref().is_ok_and(|known| *known == name))?;
        self.cells.get(index).map(str::trim).filter(|cell| !cell.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.cell(name).map(str::to_owned)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let entries = self.cell(name).into_iter().flat_map(|cell| cell.split(SEPARATOR));
        entries.map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }

    fn decimal(&self, name: &str) -> Result<Option<Decimal>, String> {
        let Some(cell) = self.cell(name) else { return Ok(None) };
        decimal_from_str(cell).map(Some).ok_or_else(|| format!("{name} is not an amount"))
    }

    fn time(&self, name: &str) -> Result<Option<Instant>, String> {
        let Some(cell) = self.cell(name) else { return Ok(None) };
        let moment = Moment::from_text(cell).ok_or_else(|| format!("{name} is not a time of RFC 3339"))?;
        let time = match self.zone {
            Some(zone) => moment.in_zone(zone),
            None => moment.in_utc().filter(|_| matches!(moment, Moment::Exact(_))),
        };
        time.map(Some).ok_or_else(|| format!("{name} has no offset, and the connection no time_zone"))
    }

    fn currency(&self) -> Result<Option<Currency>, String> {
        let Some(cell) = self.cell("currency") else { return Ok(None) };
        cell.parse().map(Some).map_err(|_| "currency is not an ISO 4217 code".to_owned())
    }

    fn line(&self, index: usize) -> Result<Line, String> {
        Ok(Line {
            line_id: self.text("line_id").unwrap_or_else(|| (index + 1).to_string()),
            product_id: self.text("product_id"),
            variant_id: self.text("variant_id"),
            sku: self.text("sku"),
            name: self.text("product_name").unwrap_or_default(),
            variant_name: self.text("variant_name"),
            quantity: self.decimal("quantity")?.ok_or("no quantity")?,
            unit_price: self.decimal("unit_price")?,
            total: self.decimal("line_total")?,
            categories: self.list("categories"),
            brand: self.text("brand"),
            product_url: self.text("product_url"),
            ..Line::default()
        })
    }

    /// The columns of the file's own.
    fn others(&self) -> impl Iterator<Item = (String, Value)> {
        let cells = self.columns.0.iter().zip(self.cells);
        cells.filter_map(|(column, cell)| {
            let name = column.as_ref().err()?;
            (!cell.trim().is_empty()).then(|| (name.clone(), cell.trim().into()))
        })
    }
}

/// A known name in any case and with spaces or dashes, or the column's own.
fn named(name: &str) -> Result<&'static str, String> {
    let name = name.trim_start_matches('\u{feff}').trim();
    let plain = name.to_ascii_lowercase().replace([' ', '-'], "_");
    let plain = if plain == "phone" { "phone_number" } else { plain.as_str() };
    COLUMNS.iter().find(|known| **known == plain).copied().ok_or_else(|| name.to_owned())
}
