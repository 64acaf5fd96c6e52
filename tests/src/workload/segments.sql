-- The fifty segments of segments.rs, written a second time by hand: what they mean, not how the engine computes it.
-- Instants are milliseconds since 1970, days begin at midnight UTC, amounts are decimals. The variable "now" is the present.

CREATE OR REPLACE MACRO present() AS getvariable('now');
CREATE OR REPLACE MACRO midnight(days) AS (getvariable('now') // 86400000 + days) * 86400000;
CREATE OR REPLACE MACRO hours_ago(hours) AS getvariable('now') - hours * 3600000;
CREATE OR REPLACE MACRO this_year() AS year(make_timestamp(getvariable('now') * 1000));
-- Midnight of the same day in another year; none of a 29 February if there is none.
CREATE OR REPLACE MACRO in_year(day, wanted) AS
  epoch_ms(TRY_CAST(printf('%04d-%02d-%02d', wanted, month(day), day(day)) AS TIMESTAMP));

-- What has happened to each profile so far.
CREATE OR REPLACE VIEW measures AS SELECT
  profile,
  count(*) FILTER (metric = 'Opened Email' AND occurred >= midnight(-30)) AS opened_30,
  count(*) FILTER (metric = 'Opened Email' AND occurred >= midnight(-60)) AS opened_60,
  count(*) FILTER (metric = 'Opened Email' AND occurred >= midnight(-90)) AS opened_90,
  count(*) FILTER (metric = 'Opened Email' AND occurred >= midnight(-120)) AS opened_120,
  count(*) FILTER (metric = 'Opened Email' AND occurred >= midnight(-180)) AS opened_180,
  count(*) FILTER (metric = 'Opened Email' AND campaign = 42) AS opened_42,
  count(*) FILTER (metric = 'Clicked Email' AND occurred >= midnight(-30)) AS clicked_30,
  count(*) FILTER (metric = 'Clicked Email' AND occurred >= midnight(-60)) AS clicked_60,
  count(*) FILTER (metric = 'Clicked Email' AND occurred >= midnight(-90)) AS clicked_90,
  count(*) FILTER (metric = 'Clicked Email' AND occurred >= midnight(-120)) AS clicked_120,
  count(*) FILTER (metric = 'Clicked Email' AND occurred >= midnight(-180)) AS clicked_180,
  count(*) FILTER (metric = 'Clicked Email' AND campaign = 42) AS clicked_42,
  count(*) FILTER (metric = 'Active on Site' AND occurred >= midnight(-30)) AS active_30,
  count(*) FILTER (metric = 'Active on Site' AND occurred >= midnight(-60)) AS active_60,
  count(*) FILTER (metric = 'Active on Site' AND occurred >= midnight(-90)) AS active_90,
  count(*) FILTER (metric = 'Active on Site' AND occurred >= midnight(-120)) AS active_120,
  count(*) FILTER (metric = 'Active on Site' AND occurred >= midnight(-180)) AS active_180,
  count(*) FILTER (metric = 'Viewed Product' AND occurred >= hours_ago(24)) AS viewed_24h,
  count(*) FILTER (metric = 'Viewed Product' AND occurred >= midnight(-30)) AS viewed_30,
  count(*) FILTER (metric = 'Viewed Product' AND occurred >= midnight(-60)) AS viewed_60,
  count(*) FILTER (metric = 'Viewed Product' AND occurred >= midnight(-90)) AS viewed_90,
  count(*) FILTER (metric = 'Viewed Product' AND occurred >= midnight(-120)) AS viewed_120,
  count(*) FILTER (metric = 'Viewed Product' AND occurred >= midnight(-180)) AS viewed_180,
  count(*) FILTER (metric = 'Viewed Product' AND category = 'Denim' AND occurred >= midnight(-14)) AS viewed_denim_14,
  count(*) FILTER (metric = 'Received Email') AS received,
  count(*) FILTER (metric = 'Received Email' AND occurred >= midnight(-7)) AS received_7,
  count(*) FILTER (metric = 'Received Email' AND occurred >= midnight(-180)) AS received_180,
  count(*) FILTER (metric = 'Received Email' AND campaign = 42) AS received_42,
  count(*) FILTER (metric = 'Clicked SMS' AND occurred >= midnight(-60)) AS clicked_text_60,
  count(*) FILTER (metric = 'Added to Cart' AND occurred >= hours_ago(24)) AS added_24h,
  count(*) FILTER (metric = 'Added to Cart' AND occurred >= midnight(-3)) AS added_3,
  count(*) FILTER (metric = 'Started Checkout' AND occurred >= hours_ago(72)) AS checkouts_72h,
  count(*) FILTER (metric = 'Started Checkout' AND occurred >= midnight(-3)) AS checkouts_3,
  count(*) FILTER (metric = 'Started Checkout' AND value >= 150 AND occurred >= midnight(-30)) AS large_checkouts_30,
  count(*) FILTER (metric = 'Placed Order') AS orders,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= hours_ago(24)) AS orders_24h,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= hours_ago(72)) AS orders_72h,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-3)) AS orders_3,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-7)) AS orders_7,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-14)) AS orders_14,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-30)) AS orders_30,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-60)) AS orders_60,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-89)) AS orders_89,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-90)) AS orders_90,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-120)) AS orders_120,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-180)) AS orders_180,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-180) AND occurred < midnight(-89)) AS orders_90_to_180,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= midnight(-365)) AS orders_365,
  count(*) FILTER (metric = 'Placed Order' AND occurred >= epoch_ms(TIMESTAMP '2026-11-27 00:00:00')
    AND occurred < epoch_ms(TIMESTAMP '2026-12-01 00:00:00')) AS weekend_orders,
  count(*) FILTER (metric = 'Placed Order' AND code IS NOT NULL) AS coded_orders,
  count(*) FILTER (metric = 'Placed Order' AND contains(code, 'SPRING1') AND occurred >= midnight(-365)) AS spring_orders,
  count(*) FILTER (metric = 'Placed Order' AND items >= 5) AS large_baskets,
  count(*) FILTER (metric = 'Placed Order' AND source = 'lightspeed') AS till_orders,
  count(*) FILTER (metric = 'Placed Order' AND source IN ('bigcommerce', 'shopify', 'woocommerce')) AS shop_orders,
  count(*) FILTER (metric = 'Placed Order' AND source <> 'lightspeed') AS other_orders,
  sum(value) FILTER (metric = 'Placed Order') AS spent,
  sum(value) FILTER (metric = 'Placed Order' AND occurred >= midnight(-90)) AS spent_90,
  count(*) FILTER (metric = 'Ordered Product' AND category = 'Shoes') AS shoes,
  count(*) FILTER (metric = 'Ordered Product' AND category = 'Dresses') AS dresses,
  count(*) FILTER (metric = 'Ordered Product' AND category = 'Sale') AS bargains,
  count(*) FILTER (metric = 'Ordered Product' AND category = 'Denim' AND occurred >= midnight(-14)) AS denim_14,
  count(*) FILTER (metric = 'Fulfilled Order' AND occurred >= midnight(-7)) AS parcels_7,
  count(*) FILTER (metric = 'Cancelled Order' AND occurred >= midnight(-30)) AS cancelled_30,
  count(*) FILTER (metric = 'Refunded Order') AS refunds,
  count(*) FILTER (metric = 'Refunded Order' AND occurred >= midnight(-30)) AS refunds_30,
  count(*) FILTER (metric = 'Loyalty Points Earned' AND occurred >= midnight(-90)) AS earnings_90,
  sum(value) FILTER (metric = 'Loyalty Points Earned') AS earned
FROM events
WHERE occurred <= present()
GROUP BY profile;

-- Who nothing happened to has zeros.
CREATE OR REPLACE VIEW known AS SELECT
  people.*,
  email_consent = 'subscribed' AND email IS NOT NULL AND NOT bounced AS takes_email,
  sms_consent = 'subscribed' AND phone IS NOT NULL AS takes_texts,
  coalesce(COLUMNS(measures.* EXCLUDE (profile)), 0)
FROM people LEFT JOIN measures USING (profile);

CREATE OR REPLACE MACRO created_in(days) AS created >= midnight(-days) AND created <= present();

CREATE OR REPLACE VIEW members AS SELECT
  profile,
  takes_email AND (opened_30 > 0 OR clicked_30 > 0 OR active_30 > 0 OR viewed_30 > 0 OR orders_30 > 0 OR created_in(30)) AS S00001,
  takes_email AND (opened_60 > 0 OR clicked_60 > 0 OR active_60 > 0 OR viewed_60 > 0 OR orders_60 > 0 OR created_in(60)) AS S00002,
  takes_email AND (opened_90 > 0 OR clicked_90 > 0 OR active_90 > 0 OR viewed_90 > 0 OR orders_90 > 0 OR created_in(90)) AS S00003,
  takes_email AND (opened_120 > 0 OR clicked_120 > 0 OR active_120 > 0 OR viewed_120 > 0 OR orders_120 > 0 OR created_in(120)) AS S00004,
  takes_email AND (opened_180 > 0 OR clicked_180 > 0 OR active_180 > 0 OR viewed_180 > 0 OR orders_180 > 0 OR created_in(180)) AS S00005,
  takes_email AND created < midnight(-90) AND received >= 3
    AND opened_90 = 0 AND clicked_90 = 0 AND active_90 = 0 AND orders_90 = 0 AS S00006,
  takes_email AND received_180 >= 2
    AND opened_180 = 0 AND clicked_180 = 0 AND active_180 = 0 AND orders_180 = 0 AS S00007,
  orders = 0 AS S00008,
  orders = 1 AS S00009,
  orders >= 2 AS S00010,
  orders >= 5 AS S00011,
  spent >= 500 AS S00012,
  spent_90 >= 200 AS S00013,
  orders >= 3 AND orders_60 = 0 AND orders_180 > 0 AS S00014,
  orders_90_to_180 > 0 AND orders_89 = 0 AS S00015,
  orders > 0 AND orders_180 = 0 AS S00016,
  orders > 0 AND orders_365 = 0 AS S00017,
  orders_14 > 0 AS S00018,
  orders_30 > 0 AND refunds_30 = 0 AS S00019,
  shoes > 0 AS S00020,
  shoes > 0 AND dresses = 0 AS S00021,
  bargains >= 2 AS S00022,
  added_3 > 0 AND checkouts_3 = 0 AND orders_3 = 0 AS S00023,
  checkouts_72h > 0 AND orders_72h = 0 AS S00024,
  viewed_30 >= 3 AND orders_30 = 0 AS S00025,
  viewed_24h > 0 AND added_24h = 0 AND orders_24h = 0 AS S00026,
  large_checkouts_30 > 0 AND orders_30 = 0 AS S00027,
  viewed_denim_14 >= 2 AND denim_14 = 0 AS S00028,
  coded_orders >= 2 AS S00029,
  orders >= 2 AND coded_orders = 0 AS S00030,
  spring_orders > 0 AS S00031,
  large_baskets > 0 AS S00032,
  till_orders > 0 AS S00033,
  till_orders > 0 AND shop_orders > 0 AS S00034,
  till_orders > 0 AND other_orders = 0 AS S00035,
  refunds >= 2 AS S00036,
  cancelled_30 > 0 AS S00037,
  orders_7 > 0 AND parcels_7 = 0 AS S00038,
  weekend_orders > 0 AND NOT vip AS S00039,
  clicked_42 > 0 AS S00040,
  received_42 > 0 AND opened_42 = 0 AS S00041,
  received_7 >= 4 AS S00042,
  takes_texts AND orders = 0 AS S00043,
  takes_texts AND clicked_text_60 > 0 AS S00044,
  suffix(email, '@gmail.example') AND country = 'United Kingdom' AND (opened_30 > 0 OR clicked_30 > 0) AS S00045,
  country IN ('France', 'Germany', 'Netherlands') AND takes_email AS S00046,
  in_year(birthday, this_year()) >= present() AND in_year(birthday, this_year()) < midnight(8)
    OR in_year(birthday, this_year() + 1) < midnight(8) AS S00047,
  created_in(7) AND newsletter AS S00048,
  tier = 'Gold' AND orders_60 = 0 AS S00049,
  points >= 1000 AND (earnings_90 >= 2 OR earned >= 300) AS S00050
FROM known;
