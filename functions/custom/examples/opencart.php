<?php
/**
 * OpenCart 4: extension/tillstream/catalog/controller/event.php, with tillstream.php beside it as call.php.
 *
 * Register the event once (Extensions > Events, or in the extension's install):
 *   trigger  catalog/model/checkout/order.addHistory/after
 *   action   extension/tillstream/event.order            (from 4.0.2; before it: extension/tillstream/event|order)
 * OpenCart 3: the trigger is catalog/model/checkout/order/addOrderHistory/after, the class is
 * ControllerExtensionTillstreamEvent extends Controller without a namespace, getOrder's fields are the same.
 *
 * Settings: tillstream_url, tillstream_secret, tillstream_zone. Dates are the database's local time without a zone.
 * Source: https://github.com/opencart/opencart, catalog/model/checkout/order.php.
 */
namespace Opencart\Catalog\Controller\Extension\Tillstream;

require_once __DIR__ . '/call.php';

class Event extends \Opencart\System\Engine\Controller
{
    /** The merchant's statuses: these are the installer's ids. 0 means that the order was never confirmed. */
    const SHIPPED = [3];
    const CANCELLED = [7, 16];
    const NOT_PLACED = [0, 8, 10, 14];
    const REFUNDED = [11, 12, 13];

    /** Orders whose status changed in this request. */
    private static $changed = [];

    /** Tells at the end of the request: since 4.1 an order that is edited is voided first, and gets its status again after. */
    public function order(string &$route, array &$args, &$output): void
    {
        if (!self::$changed) {
            register_shutdown_function(function (): void {
                foreach (array_keys(self::$changed) as $id) {
                    $this->tell($id);
                }
            });
        }
        self::$changed[(int) $args[0]] = true;
    }

    private function tell(int $id): void
    {
        try {
            $this->load->model('checkout/order');
            $order = $this->model_checkout_order->getOrder($id);
            $fact = $order ? $this->fact($order) : null;
            if ($fact !== null && !tillstream_send((string) $this->config->get('tillstream_url'), (string) $this->config->get('tillstream_secret'), [$fact])) {
                $this->log->write('Tillstream did not take a delivery');
            }
        } catch (\Throwable $error) {
            $this->log->write('Tillstream: ' . get_class($error));
        }
    }

    /** An order with its lines, or null if nobody confirmed it. */
    private function fact(array $order): ?array
    {
        $id = (int) $order['order_id'];
        $status = (int) $order['order_status_id'];
        // The order is placed by its first status that is neither a failure nor a cancellation: since 4.1 a checkout is
        // voided each time it is written anew. Since 4.1, too, a status does not move date_modified: the history says when
        // the present one began.
        $placed = $since = $last = null;
        foreach ($this->rows('order_history', $id) as $row) {
            $entry = (int) $row['order_status_id'];
            if ($placed === null && in_array($entry, array_merge(self::NOT_PLACED, self::CANCELLED), true)) {
                continue;
            }
            $at = $this->time($row['date_added']);
            $placed = $placed ?? $at;
            $since = $entry === $last ? $since : $at;
            $last = $entry;
        }
        if ($placed === null) {
            return null;
        }
        // Amounts are stored in the shop's default currency. The buyer saw and paid them in the order's, at its rate.
        $code = (string) $order['currency_code'];
        $rate = (float) $order['currency_value'];
        if ($code === '' || $rate <= 0) {
            [$code, $rate] = [(string) $this->config->get('config_currency'), 1.0];
        }
        $places = $this->currency->has($code) ? (int) $this->currency->getDecimalPlace($code) : 2;
        $amount = static function ($stored) use ($rate, $places): string {
            return number_format(round((float) $stored * $rate, $places), $places, '.', '');
        };
        $lines = $rows = [];
        foreach ($this->rows('order_product', $id) as $row) {
            // Rows get new ids whenever an order is edited: a line is named by its product, and a further row by its number.
            $product = (string) $row['product_id'];
            $rows[$product] = ($rows[$product] ?? 0) + 1;
            $lines[] = tillstream_said([
                'line_id' => $rows[$product] === 1 ? $product : "$product-{$rows[$product]}",
                'product_id' => $product,
                'sku' => $row['model'],
                'name' => $row['name'],
                'quantity' => (string) $row['quantity'],
                'unit_price' => $amount($row['price']),
                'total' => $amount($row['total']),
            ]);
        }
        $discounts = 0.0;
        $codes = [];
        foreach ($this->rows('order_total', $id) as $row) {
            if (in_array($row['code'], ['coupon', 'voucher', 'reward', 'credit'], true)) {
                $discounts -= (float) $amount($row['value']);
                // The code is only in the title: "Coupon (2222)".
                if ($row['code'] === 'coupon' && preg_match('/\(([^()]+)\)\s*$/', $row['title'], $match)) {
                    $codes[] = $match[1];
                }
            }
        }
        $shipped = in_array($status, self::SHIPPED, true);
        $refunded = in_array($status, self::REFUNDED, true);
        $total = ['amount' => $amount($order['total']), 'currency' => $code];
        return tillstream_said([
            'fact' => 'order',
            'order_id' => (string) $id,
            'person' => tillstream_said([
                'email' => $order['email'],
                'phone' => $order['telephone'],
                'phone_country' => $order['payment_iso_code_2'] ?: ($order['shipping_iso_code_2'] ?? null),
                'customer_id' => (int) $order['customer_id'] ? (string) $order['customer_id'] : null,
                'attributes' => tillstream_said(['first_name' => $order['firstname'], 'last_name' => $order['lastname']]),
            ]),
            'updated_at' => $since,
            'placed_at' => $placed,
            'detail' => tillstream_said([
                'number' => (string) $id,
                'total' => $total,
                'total_discounts' => number_format($discounts, $places, '.', ''),
                'discount_codes' => $codes,
                'lines' => $lines,
                'shop' => $order['store_name'],
                'shop_id' => (string) $order['store_id'],
            ]),
            'shipments' => $shipped ? [['shipment_id' => "$id-1", 'at' => $since]] : [],
            'fulfilled_at' => $shipped ? $since : null,
            'cancelled' => in_array($status, self::CANCELLED, true) ? ['at' => $since] : null,
            // The status is all that OpenCart knows of a refund: it is taken for the whole order.
            'refunds' => $refunded ? [['refund_id' => "$id-1", 'at' => $since, 'amount' => $total]] : [],
        ]);
    }

    private function rows(string $table, int $order_id): array
    {
        // Each table's first column is its own id.
        return $this->db->query('SELECT * FROM `' . DB_PREFIX . $table . "` WHERE order_id = '" . $order_id . "' ORDER BY {$table}_id")->rows;
    }

    private function time(?string $local): ?string
    {
        return tillstream_time($local, (string) $this->config->get('tillstream_zone') ?: 'UTC');
    }
}
