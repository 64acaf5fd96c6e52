//! What clients say of records of the catalog, and how much of it.

use canonical::money::decimal_from_json;
use serde_json::{Map, Value, json};
use store::CatalogKind;

use super::{CATALOG, INTEGRATION};
use crate::body::{Fields, Node};
use crate::error::ApiResult;

/// With its creation time and its unique id, an external id is a key of the table, which has 1024 bytes.
pub(super) const MAX_EXTERNAL_ID: usize = 240;
const MAX_NAME: usize = 1000;
pub(super) const MAX_SKU: usize = 255;
const MAX_URL: usize = 4096;
const MAX_DESCRIPTION_BYTES: usize = 100 * 1024;
const MAX_IMAGES: usize = 100;
/// Klaviyo's limit.
const MAX_METADATA_BYTES: usize = 100 * 1024;
/// All attributes together: an item of the table holds 400 KB.
const MAX_BYTES: usize = 250 * 1024;

/// What an attribute holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// A name that is not blank.
    Name,
    Description,
    Sku,
    /// An address, or empty for what has none.
    Url,
    Flag,
    Price,
    Quantity,
    Policy,
    Images,
    Metadata,
}

/// An attribute, its content, and whether it must be given.
type Attribute = (&'static str, Content, bool);

const ITEM: &[Attribute] = &[
    ("title", Content::Name, true),
    ("description", Content::Description, true),
    ("price", Content::Price, false),
    ("url", Content::Url, true),
    ("image_full_url", Content::Url, false),
    ("image_thumbnail_url", Content::Url, false),
    ("images", Content::Images, false),
    ("custom_metadata", Content::Metadata, false),
    ("published", Content::Flag, false),
];
const VARIANT: &[Attribute] = &[
    ("title", Content::Name, true),
    ("description", Content::Description, true),
    ("sku", Content::Sku, true),
    ("inventory_policy", Content::Policy, false),
    ("inventory_quantity", Content::Quantity, true),
    ("price", Content::Price, true),
    ("url", Content::Url, true),
    ("image_full_url", Content::Url, false),
    ("image_thumbnail_url", Content::Url, false),
    ("images", Content::Images, false),
    ("custom_metadata", Content::Metadata, false),
    ("published", Content::Flag, false),
];
const CATEGORY: &[Attribute] = &[("name", Content::Name, true)];

fn known(kind: CatalogKind) -> &'static [Attribute] {
    match kind {
        CatalogKind::Item => ITEM,
        CatalogKind::Variant => VARIANT,
        CatalogKind::Category => CATEGORY,
    }
}

/// The client's id, and that it is of the one integration and the one catalog that there are.
pub(super) fn read_external_id<'a>(attributes: &Fields<'a>) -> ApiResult<&'a str> {
    for (name, only) in [("integration_type", INTEGRATION), ("catalog_type", CATALOG)] {
        if let Some(node) = attributes.optional(name)
            && node.text()? != only
        {
            return Err(node.invalid(format!("Only '{only}' is supported.")));
        }
    }
    attributes.required("external_id")?.text_of(MAX_EXTERNAL_ID)
}

/// All attributes of a record that is made, those that are not given included.
pub(super) fn read_new(kind: CatalogKind, attributes: &Fields<'_>) -> ApiResult<Map<String, Value>> {
    let known = known(kind);
    let ids = ["external_id", "integration_type", "catalog_type"];
    attributes.only(&known.iter().map(|(name, ..)| *name).chain(ids).collect::<Vec<_>>())?;
    let mut read = Map::new();
    for (name, content, is_required) in known {
        let node = if *is_required { Some(attributes.required(name)?) } else { attributes.optional(name) };
        let value = match node {
            Some(node) => content.read(&node)?,
            None => content.absent(),
        };
        read.insert((*name).to_owned(), value);
    }
    within_limits(attributes, read)
}

/// The attributes that a change gives. Null is what it is where nothing is given; it says nothing where something
/// must be.
pub(super) fn read_change(kind: CatalogKind, attributes: &Fields<'_>) -> ApiResult<Map<String, Value>> {
    let known = known(kind);
    attributes.only(&known.iter().map(|(name, ..)| *name).collect::<Vec<_>>())?;
    let mut read = Map::new();
    for (name, content, is_required) in known {
        let value = match attributes.given(name) {
            Some(node) if !node.value.is_null() => content.read(&node)?,
            Some(_) if !*is_required => content.absent(),
            _ => continue,
        };
        read.insert((*name).to_owned(), value);
    }
    within_limits(attributes, read)
}

fn within_limits(attributes: &Fields<'_>, read: Map<String, Value>) -> ApiResult<Map<String, Value>> {
    if bytes_of(&read) > MAX_BYTES {
        return Err(attributes.invalid("The attributes must not be larger than 250 KB together."));
    }
    Ok(read)
}

fn bytes_of(value: &Map<String, Value>) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}

impl Content {
    /// What it is where nothing is given.
    fn absent(self) -> Value {
        match self {
            Self::Flag => true.into(),
            Self::Policy => 0.into(),
            Self::Images => json!([]),
            Self::Metadata => json!({}),
            _ => Value::Null,
        }
    }

    fn read(self, node: &Node<'_>) -> ApiResult<Value> {
        match self {
            Self::Name => drop(node.text_of(MAX_NAME)?),
            Self::Description if node.text()?.len() > MAX_DESCRIPTION_BYTES => {
                return Err(node.invalid("The string must not be larger than 100 KB."));
            }
            Self::Description => {}
            Self::Sku => at_most(node, MAX_SKU)?,
            Self::Url => at_most(node, MAX_URL)?,
            Self::Flag => drop(node.flag()?),
            Self::Price | Self::Quantity => {
                let number = node.value.is_number().then(|| decimal_from_json(node.value)).flatten();
                let number =
                    number.ok_or_else(|| node.invalid("A number of at most 28 digits is expected."))?;
                if self == Self::Price && number.is_sign_negative() && !number.is_zero() {
                    return Err(node.invalid("The price must not be negative."));
                }
            }
            Self::Policy => {
                if node.value.as_u64().is_none_or(|policy| policy > 2) {
                    return Err(node.invalid("The inventory policy must be 0, 1 or 2."));
                }
            }
            Self::Images => {
                for (place, image) in node.items()?.enumerate() {
                    if place >= MAX_IMAGES {
                        return Err(node.invalid(format!("There must not be more than {MAX_IMAGES} images.")));
                    }
                    at_most(&image, MAX_URL)?;
                }
            }
            Self::Metadata => flat(&node.object()?)?,
        }
        Ok(node.value.clone())
    }
}

/// A text that may be empty.
fn at_most(node: &Node<'_>, max: usize) -> ApiResult<()> {
    if node.text()?.chars().count() > max {
        return Err(node.invalid(format!("The string must not be longer than {max} characters.")));
    }
    Ok(())
}

/// Texts, numbers and booleans, or lists of them; no objects.
fn flat(metadata: &Fields<'_>) -> ApiResult<()> {
    let is_plain = |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_));
    for name in metadata.map.keys() {
        let Some(node) = metadata.given(name) else { continue };
        let is_flat = node.value.as_array().map_or(is_plain(node.value), |items| items.iter().all(is_plain));
        if !is_flat {
            return Err(node.invalid("Custom metadata must be flat."));
        }
    }
    if bytes_of(metadata.map) > MAX_METADATA_BYTES {
        return Err(metadata.invalid("Custom metadata must not be larger than 100 KB."));
    }
    Ok(())
}
