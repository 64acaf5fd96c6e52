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

    public function order(string &$route, array &$args, &$output): void
    {
        try {
            $this->load->model('checkout/order');
            $order = $this->model_checkout_order->getOrder((int) $args[0]);
            if ($order) {
                $facts = [$this->fact($order)];
                if (!tillstream_send((string) $this->config->get('tillstream_url'), (string) $this->config->get('tillstream_secret'), $facts)) {
                    $this->log->write('Tillstream did not take a delivery');
                }
            }
        } catch (\Throwable $error) {
            $this->log->write('Tillstream: ' . get_class($error));
        }
    }

    private function fact(array $order): array
    {
        $id = (int) $order['order_id'];
        $status = (int) $order['order_status_id'];
        // Amounts are stored in the store's default currency, whatever the buyer saw.
        $currency = (string) $this->config->get('config_currency');
        $lines = [];
        foreach ($this->rows('order_product', $id) as $row) {
            $lines[] = tillstream_said([
                'line_id' => (string) $row['order_product_id'],
                'product_id' => (string) $row['product_id'],
                'sku' => $row['model'],
                'name' => $row['name'],
                'quantity' => (string) $row['quantity'],
                'unit_price' => (string) $row['price'],
                'total' => (string) $row['total'],
            ]);
        }
        $discounts = 0.0;
        $codes = [];
        foreach ($this->rows('order_total', $id) as $row) {
            if (in_array($row['code'], ['coupon', 'voucher', 'reward', 'credit'], true)) {
                $discounts -= (float) $row['value'];
                // The code is only in the title: "Coupon (2222)".
                if ($row['code'] === 'coupon' && preg_match('/\(([^()]+)\)\s*$/', $row['title'], $match)) {
                    $codes[] = $match[1];
                }
            }
        }
        // Since 4.1 a new status does not move date_modified: the history says when it began.
        $since = null;
        foreach ($this->rows('order_history', $id) as $row) {
            if ((int) $row['order_status_id'] === $status) {
                $since = $this->time($row['date_added']);
            }
        }
        $since = $since ?? $this->time($order['date_modified']);
        $shipped = in_array($status, self::SHIPPED, true);
        $refunded = in_array($status, self::REFUNDED, true);
        $total = ['amount' => (string) $order['total'], 'currency' => $currency];
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
            'placed_at' => in_array($status, self::NOT_PLACED, true) ? null : $this->time($order['date_added']),
            'detail' => tillstream_said([
                'number' => (string) $id,
                'total' => $total,
                'total_discounts' => number_format($discounts, 4, '.', ''),
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
        return $this->db->query('SELECT * FROM `' . DB_PREFIX . $table . "` WHERE order_id = '" . $order_id . "'")->rows;
    }

    private function time(?string $local): ?string
    {
        return tillstream_time($local, (string) $this->config->get('tillstream_zone') ?: 'UTC');
    }
}
