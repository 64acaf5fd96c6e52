//! What each kind of fact leads to.

use std::collections::BTreeSet;

use canonical::fact::{
    CartSnapshot, CheckoutSnapshot, ConsentChange, ConsentStatus, CustomerSnapshot, ErasureRequest, Line,
    LoyaltyActivity, OrderSnapshot, PropertyChange,
};
use canonical::identity::Identifiers;
use canonical::{Event, Fact, Instant, Person, activity, cart, checkout, order, profile};
use runtime::metrics::count;
use store::{CatalogEntry, ConnectionStatus, Job, JobKind, PROFILE_SHARDS, SubjectKey};

use crate::people::Who;
use crate::{Context, Failure, Mapper};

/// Products of one order that are looked up in the catalog.
const MAX_LOOKED_UP: usize = 100;

impl Mapper {
    pub(crate) async fn fact(&self, fact: Fact, context: &Context) -> Result<(), Failure> {
        match fact {
            Fact::Order(order) => self.order(order, context).await,
            Fact::Checkout(checkout) => self.checkout(checkout, context).await,
            Fact::Cart(cart) => self.cart(cart, context).await,
            Fact::ProductView(view) => {
                let event = activity::viewed_product(&view, &context.source);
                self.activity(&view.person, Some(view.at), event, context).await
            }
            Fact::Loyalty(loyalty) => {
                if let Some(change) = &loyalty.changes
                    && !self.is_change(&loyalty, change, context).await?
                {
                    count("facts", &context.source.platform, "unchanged", 1);
                    return Ok(());
                }
                let event = activity::loyalty(&loyalty, &context.source);
                self.activity(&loyalty.person, Some(loyalty.at), event, context).await
            }
            Fact::Customer(customer) => self.customer(customer, context).await,
            Fact::Consent(change) => self.consent(change, context).await,
            Fact::Catalog(item) => {
                let entry = CatalogEntry { connection: context.source.connection.clone(), item };
                Ok(self.store.put_catalog_item(&entry).await?)
            }
            Fact::Erasure(request) => self.erasure(request, context).await,
            Fact::DataRequest(person) => self.data_request(&person, context).await,
            Fact::Disconnected { .. } => self.end_connection(context).await,
        }
    }

    async fn order(&self, order: OrderSnapshot, context: &Context) -> Result<(), Failure> {
        let person = order.person.clone();
        let who = self.person(&person, order.updated_at, context, |_| false).await?;
        let key = subject(context, "order", &order.order_id);
        self.tell(key, order, &person, who, context, order::advance, |order: &mut OrderSnapshot| {
            order.detail.as_mut().map_or(&mut [], |detail| detail.lines.as_mut_slice())
        })
        .await
    }

    async fn checkout(&self, checkout: CheckoutSnapshot, context: &Context) -> Result<(), Failure> {
        let person = checkout.person.clone();
        let who = self.person(&person, checkout.updated_at, context, |_| false).await?;
        if let (Who::Known(profile), Some(cart)) = (&who, &checkout.cart_id) {
            // The cart it grew from was filled by the same person.
            self.hand_over(&subject(context, "cart", cart), profile, context).await?;
        }
        let key = subject(context, "checkout", &checkout.checkout_id);
        self.tell(
            key,
            checkout,
            &person,
            who,
            context,
            checkout::advance,
            |checkout: &mut CheckoutSnapshot| checkout.lines.as_mut_slice(),
        )
        .await
    }

    async fn cart(&self, cart: CartSnapshot, context: &Context) -> Result<(), Failure> {
        let person = cart.person.clone();
        let who = self.person(&person, cart.updated_at, context, |_| false).await?;
        let key = subject(context, "cart", &cart.cart_id);
        self.tell(key, cart, &person, who, context, cart::advance, |cart: &mut CartSnapshot| {
            cart.lines.as_mut_slice()
        })
        .await
    }

    async fn activity(
        &self,
        person: &Person,
        at: Option<Instant>,
        event: Event,
        context: &Context,
    ) -> Result<(), Failure> {
        let event = Event { backfill: event.backfill || context.backfill, ..event };
        match self.person(person, at, context, |_| false).await? {
            Who::Known(profile) => {
                self.put_events(&profile, &context.source.platform, vec![event], context).await
            }
            Who::Unknown => {
                count("facts", &context.source.platform, "nobody", 1);
                Ok(())
            }
            Who::Erased => Ok(()),
        }
    }

    /// Whether the profile had another value of the property, by what is stored of it now.
    async fn is_change(
        &self,
        loyalty: &LoyaltyActivity,
        change: &PropertyChange,
        context: &Context,
    ) -> Result<bool, Failure> {
        let (identifiers, _) = Identifiers::of(&loyalty.person, &context.source.connection);
        let profile = self.store.find_person(&identifiers).await?;
        Ok(profile.is_some_and(|profile| profile.value.undergoes(change, loyalty.at.as_millis())))
    }

    async fn customer(&self, customer: CustomerSnapshot, context: &Context) -> Result<(), Failure> {
        if customer.deleted {
            context.trace.names(&Identifiers::of(&customer.person, &context.source.connection).0);
            if let Some(id) = &customer.person.customer_id {
                self.store.unlink_customer(&context.source.connection, id).await?;
            }
            return Ok(());
        }
        match self.person(&customer.person, customer.updated_at, context, |_| false).await? {
            Who::Unknown => count("facts", &context.source.platform, "nobody", 1),
            Who::Known(_) | Who::Erased => {}
        }
        Ok(())
    }

    async fn consent(&self, change: ConsentChange, context: &Context) -> Result<(), Failure> {
        if context.backfill && change.status == ConsentStatus::Subscribed {
            // Nobody can tell what somebody decided since: an import may take consent away, but never grant it.
            count("facts", &context.source.platform, "imported_consent", 1);
            return Ok(());
        }
        let apply = |profile: &mut canonical::Profile| {
            let changed = profile.apply_consent(&change).is_some();
            if changed && let Some(consent) = profile.consent.get_mut(&change.channel) {
                consent.source = Some(context.source.platform.clone());
                consent.recorded_at = Some(self.clock.now().into());
            }
            changed
        };
        match self.person(&change.person, Some(change.at), context, apply).await? {
            Who::Known(profile) => {
                // Told whether or not it changed the profile: after a crash between the two it comes again, and
                // its id makes it one.
                let event = profile::consent_event(&change, &context.source);
                let event = event.map(|event| Event { backfill: context.backfill, ..event });
                self.put_events(&profile, &context.source.platform, event.into_iter().collect(), context)
                    .await
            }
            Who::Unknown => {
                count("facts", &context.source.platform, "nobody", 1);
                Ok(())
            }
            Who::Erased => Ok(()),
        }
    }

    async fn erasure(&self, request: ErasureRequest, context: &Context) -> Result<(), Failure> {
        context.trace.withhold();
        match request {
            ErasureRequest::Person { person, order_ids } => {
                let now = Instant::from(self.clock.now());
                let (identifiers, _) = Identifiers::of(&person, &context.source.connection);
                let profile = self.store.find_person(&identifiers).await?;
                let theirs = profile.iter().flat_map(|profile| store::names_of_profile(&profile.value));
                let names = store::names_of(&identifiers).chain(theirs).collect();
                self.erase_archived(JobKind::EraseArchived { connection: None, names }, now, context).await?;
                if let Some(profile) = profile {
                    self.store.erase_profile(&profile, now).await?;
                }
                for identifier in identifiers.ranked() {
                    self.store.release_identifier(&identifier, now).await?;
                }
                if let Some((connection, customer)) = &identifiers.customer {
                    self.store.erase_customer(connection, customer, now).await?;
                }
                for order in order_ids {
                    self.store.forget_parked(&subject(context, "order", &order)).await?;
                }
                count("facts", &context.source.platform, "person_erased", 1);
                Ok(())
            }
            ErasureRequest::Shop => {
                self.end_connection(context).await?;
                let connection = context.source.connection.clone();
                let now = Instant::from(self.clock.now());
                let all =
                    JobKind::EraseArchived { connection: Some(connection.clone()), names: BTreeSet::new() };
                self.erase_archived(all, now, context).await?;
                // Named after the connection: the request may come again.
                let id = canonical::hash::long_id(&["erase-connection", &connection]);
                let kind = JobKind::EraseConnection { connection };
                let job = Job::new(id, kind, PROFILE_SHARDS, now);
                match self.store.create_job(&job).await {
                    Err(store::Error::Conflict) => Ok(()),
                    outcome => Ok(outcome?),
                }
            }
        }
    }

    /// Has the archive forget whom the tables are about to. Written first, and begun by the clock a minute later: so it is
    /// not lost, and no batch is on its way into the archive that was mapped before.
    async fn erase_archived(&self, kind: JobKind, now: Instant, context: &Context) -> Result<(), Failure> {
        if self.archive.is_none() {
            return Ok(());
        }
        let source = &context.source;
        let at_ms = now.as_millis().to_string();
        let id =
            canonical::hash::long_id(&["erase-archived", &source.connection, &source.delivery_id, &at_ms]);
        let job = Job::new(id, kind, 1, now);
        match self.store.create_job(&job).await {
            Err(store::Error::Conflict) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    async fn data_request(&self, person: &Person, context: &Context) -> Result<(), Failure> {
        let (identifiers, _) = Identifiers::of(person, &context.source.connection);
        context.trace.names(&identifiers);
        let profile = self.store.find_person(&identifiers).await?.map(|profile| profile.value.id);
        count("facts", &context.source.platform, "data_request", 1);
        // The shop's owner answers it; the log names the profile whose data the API returns.
        tracing::warn!(
            connection = context.source.connection,
            profile,
            "a person asks what is stored about them"
        );
        Ok(())
    }

    async fn end_connection(&self, context: &Context) -> Result<(), Failure> {
        // Read again, it would end a connection that has begun anew.
        context.trace.withhold();
        let Some(mut record) = self.store.connection(&context.source.connection).await? else {
            return Ok(());
        };
        if record.status == ConnectionStatus::Active {
            record.status = ConnectionStatus::Disconnected;
            record.updated_at = Instant::from(self.clock.now());
            self.store.update_connection(&record).await?;
        }
        Ok(())
    }

    /// Adds what only the catalog knows to lines: name, categories, brand, picture, page.
    pub(crate) async fn enrich(&self, lines: &mut [Line], context: &Context) -> Result<(), Failure> {
        let mut products: Vec<&str> = lines.iter().filter_map(|line| line.product_id.as_deref()).collect();
        products.sort_unstable();
        products.dedup();
        products.truncate(MAX_LOOKED_UP);
        if products.is_empty() {
            return Ok(());
        }
        let items = self.store.catalog_items(&context.source.connection, &products).await?;
        for line in lines {
            let Some(item) = items.iter().find(|item| Some(&item.product_id) == line.product_id.as_ref())
            else {
                continue;
            };
            if line.name.is_empty()
                && let Some(title) = &item.title
            {
                line.name.clone_from(title);
            }
            if line.categories.is_empty() {
                line.categories.clone_from(&item.categories);
            }
            line.brand = line.brand.take().or_else(|| item.brand.clone());
            line.image_url = line.image_url.take().or_else(|| item.image_url.clone());
            line.product_url = line.product_url.take().or_else(|| item.url.clone());
        }
        Ok(())
    }
}

fn subject(context: &Context, kind: &'static str, id: &str) -> SubjectKey {
    SubjectKey { connection: context.source.connection.clone(), kind, id: id.to_owned() }
}
