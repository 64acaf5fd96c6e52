//! Products.

use canonical::Fact;
use canonical::fact::{CatalogItem, CatalogVariant};
use platform::lenient::{Dropped, Object};
use platform::reading::{Reader, Reading, Silence};

use crate::notice::real;
use crate::payload::{AdvancedOption, Flag, Product};
use crate::store::Store;

/// A product as the API answers it.
pub(crate) fn product(reader: &mut Reader<'_>, store: &Store<'_>, product: Product) -> Reading {
    let received_at = reader.received_at();
    let dropped = &mut reader.dropped;
    let info = dropped.take("SKUInfo", product.sku_info).map(|Object(info)| info).unwrap_or_default();
    let product_id = dropped.take("SKUInfo.CatalogID", info.catalog_id).and_then(real);
    let product_id = product_id.ok_or_else(|| Silence::Malformed("no usable CatalogID".to_owned()))?;
    let updated_at = store.time(dropped, "LastUpdate", product.last_update).unwrap_or(received_at);
    let on_sale = dropped.take("SKUInfo.OnSale", info.on_sale) == Some(Flag(true));
    let regular = dropped.take("SKUInfo.Price", info.price);
    let sale = dropped.take("SKUInfo.SalePrice", info.sale_price);
    let hidden = [dropped.take("Hide", product.hide), dropped.take("NotForSale", product.not_for_sale)];
    let description = dropped.take("Description", product.description);
    let short = dropped.take("ShortDescription", product.short_description);
    let categories = dropped.list("CategoryList", product.category_list);
    let options = dropped.list("AdvancedOptionList", product.advanced_option_list);
    Ok(vec![Fact::Catalog(CatalogItem {
        product_id,
        updated_at: Some(updated_at),
        deleted: false,
        title: dropped.take("SKUInfo.Name", info.name),
        description: description.or(short),
        url: dropped.take("ProductLink", product.product_link).map(|path| store.file(path)),
        image_url: dropped.take("MainImageFile", product.main_image_file).map(|path| store.file(path)),
        brand: dropped.take("ManufacturerName", product.manufacturer_name),
        categories: categories
            .into_iter()
            .filter_map(|Object(category)| dropped.take("CategoryList.CategoryName", category.category_name))
            .collect(),
        price: if on_sale { sale.or(regular) } else { regular },
        published: !hidden.contains(&Some(Flag(true))),
        variants: options.into_iter().filter_map(|Object(option)| variant(dropped, option)).collect(),
    })])
}

/// An option with a stock of its own. Without a code it cannot be told from another and is noted.
fn variant(dropped: &mut Dropped, option: AdvancedOption) -> Option<CatalogVariant> {
    let sku = dropped.take("AdvancedOptionList.AdvancedOptionSufix", option.sufix);
    let code = dropped.take("AdvancedOptionList.AdvancedOptionCode", option.code).map(|code| code.0);
    let Some(variant_id) = code.or_else(|| sku.clone()) else {
        dropped.note("AdvancedOptionList.AdvancedOptionCode");
        return None;
    };
    Some(CatalogVariant {
        variant_id,
        title: dropped.take("AdvancedOptionList.AdvancedOptionName", option.name),
        sku,
        price: dropped.take("AdvancedOptionList.AdvancedOptionPrice", option.price),
        inventory_quantity: dropped.take("AdvancedOptionList.AdvancedOptionStock", option.stock),
    })
}

/// A product that the store no longer has.
pub(crate) fn gone(reader: &Reader<'_>, product_id: String) -> Fact {
    let updated_at = Some(reader.received_at());
    Fact::Catalog(CatalogItem { product_id, updated_at, deleted: true, ..CatalogItem::default() })
}
