<?php
/**
 * What both builds of the extension share: the pull feed, and the telling of what it cannot show.
 *
 * OpenCart 3: beside the two controllers, as library.php. OpenCart 4: the same. Needs PHP 7.2 or newer with curl.
 * Tables and columns: https://github.com/opencart/opencart, upload/install (tags 3.0.3.8 to 4.1.0.3).
 */
class TillstreamLibrary
{
    /** By what each list goes on, and its records' key. */
    private const LISTS = [
        'changes' => 'after_history_id',
        'orders' => 'after_order_id',
        'checkouts' => 'after_order_id',
        'customers' => 'after_customer_id',
        'products' => 'after_product_id',
    ];
    private const MAX_LIMIT = 100;
    /** Rows of the history this young may still have an older one being written beside them. */
    private const SETTLED_S = 5;
    private const CUSTOMER = ['customer_id', 'firstname', 'lastname', 'email', 'telephone', 'status', 'date_added'];
    private const UNWANTED = [
        'ip', 'forwarded_ip', 'user_agent', 'accept_language', 'comment', 'custom_field', 'payment_custom_field',
        'shipping_custom_field', 'payment_address_format', 'shipping_address_format', 'password', 'salt', 'token',
    ];

    private $db;
    private $config;
    private $tax;

    /** @param object|null $tax OpenCart's tax library, for prices as the shop shows them. */
    public function __construct($db, $config, $tax = null)
    {
        $this->db = $db;
        $this->config = $config;
        $this->tax = $tax;
    }

    /** Whether a request may read the feed: compared in constant time, and closed while there is no token. */
    public function isAllowed(string $given): bool
    {
        $token = (string) $this->config->get('tillstream_feed_token');
        return strlen($token) >= 24 && hash_equals($token, $given);
    }

    /** The answer to a request's query, or null if it names no list. */
    public function answer(array $query): ?array
    {
        $list = (string) ($query['list'] ?? '');
        if (!isset(self::LISTS[$list])) {
            return null;
        }
        $after = max(0, (int) ($query[self::LISTS[$list]] ?? 0));
        $limit = min(self::MAX_LIMIT, max(1, (int) ($query['limit'] ?? self::MAX_LIMIT)));
        $history = ($query['span'] ?? '') === 'history';
        $ahead = $this->ahead();
        [$ids, $last, $more] = $this->ids($list, $after, $limit, $history, $query, $ahead);
        if ($list === 'customers') {
            $records = $this->customers($ids);
        } elseif ($list === 'products') {
            $records = $this->products($ids);
        } else {
            $records = $this->orders($ids);
        }
        return [
            // Null says that the connection must name one.
            'time_zone' => $ahead === 0 ? date_default_timezone_get() : null,
            'currency' => (string) $this->config->get('config_currency'),
            'complete' => array_values((array) $this->config->get('config_complete_status')),
            'records' => $records,
            'last' => $last,
            'more' => $more,
        ];
    }

    /** Which records a page has, how far it comes, and whether there are more. One more than the page is looked for. */
    private function ids(string $list, int $after, int $limit, bool $history, array $query, int $ahead): array
    {
        $within = static function (string $column) use ($query, $ahead): string {
            $times = array_map('intval', array_intersect_key($query, ['since' => 0, 'until' => 0]));
            $offsets = array_map(static function (int $time) use ($ahead): int {
                return (int) date('Z', $time) + $ahead;
            }, $times);
            $sql = '';
            // Where clocks are turned within the period, it is an hour wider: whatever they showed is in it.
            if (isset($times['since'])) {
                $sql .= " AND `$column` >= '" . gmdate('Y-m-d H:i:s', $times['since'] + min($offsets)) . "'";
            }
            if (isset($times['until'])) {
                $sql .= " AND `$column` <= '" . gmdate('Y-m-d H:i:s', $times['until'] + max($offsets)) . "'";
            }
            return $sql;
        };
        $prefix = DB_PREFIX;
        $plus = $limit + 1;
        switch ($list) {
            case 'changes':
                $sql = "SELECT order_history_id AS mark, order_id AS id FROM `{$prefix}order_history`
                    WHERE order_history_id > $after" . $this->settled($after) . $within('date_added') . "
                    ORDER BY order_history_id LIMIT $plus";
                break;
            case 'orders':
                $sql = "SELECT order_id AS mark, order_id AS id FROM `{$prefix}order`
                    WHERE order_id > $after" . $within('date_added') . " ORDER BY order_id LIMIT $plus";
                break;
            case 'checkouts':
                $sql = "SELECT order_id AS mark, order_id AS id FROM `{$prefix}order`
                    WHERE order_id > $after AND order_status_id = 0" . $within('date_modified') . "
                    ORDER BY order_id LIMIT $plus";
                break;
            case 'customers':
                $sql = "SELECT customer_id AS mark, customer_id AS id FROM `{$prefix}customer`
                    WHERE customer_id > $after" . $within('date_added') . " ORDER BY customer_id LIMIT $plus";
                break;
            default:
                $column = $history ? 'date_added' : 'date_modified';
                $sql = "SELECT product_id AS mark, product_id AS id FROM `{$prefix}product`
                    WHERE product_id > $after" . $within($column) . " ORDER BY product_id LIMIT $plus";
        }
        $rows = $this->db->query($sql)->rows;
        $more = count($rows) > $limit;
        $rows = array_slice($rows, 0, $limit);
        $last = $rows ? (int) end($rows)['mark'] : $after;
        return [array_values(array_unique(array_map('intval', array_column($rows, 'id')))), $last, $more];
    }

    /**
     * The history up to its first row that is young. It stops there, whatever the times of later rows: on the night that
     * clocks are turned back, they are not in the order of the ids. A row from far in the future is not waited for.
     */
    private function settled(int $after): string
    {
        $row = $this->db->query('SELECT MIN(order_history_id) AS young FROM `' . DB_PREFIX . "order_history`
            WHERE order_history_id > $after AND date_added > NOW() - INTERVAL " . self::SETTLED_S . ' SECOND
            AND date_added < NOW() + INTERVAL 2 HOUR')->row;
        return isset($row['young']) ? ' AND order_history_id < ' . (int) $row['young'] : '';
    }

    /** By how many seconds the database's clocks are ahead of PHP's, in quarters of an hour: 0 if they share a zone. */
    private function ahead(): int
    {
        $row = $this->db->query("SELECT DATE_FORMAT(NOW(), '%Y-%m-%d %H:%i:%s') AS local")->row;
        // Both are read as UTC, in which no time is shown twice.
        return (int) round((strtotime($row['local'] . ' UTC') - strtotime(date('Y-m-d H:i:s') . ' UTC')) / 900) * 900;
    }

    private function orders(array $ids): array
    {
        if (!$ids) {
            return [];
        }
        $prefix = DB_PREFIX;
        $in = implode(',', $ids);
        $orders = $this->db->query("SELECT o.*, cu.decimal_place,
                pc.iso_code_2 AS payment_iso_code_2, sc.iso_code_2 AS shipping_iso_code_2,
                pz.code AS payment_zone_code, sz.code AS shipping_zone_code
            FROM `{$prefix}order` o
            LEFT JOIN `{$prefix}currency` cu ON cu.code = o.currency_code
            LEFT JOIN `{$prefix}country` pc ON pc.country_id = o.payment_country_id
            LEFT JOIN `{$prefix}country` sc ON sc.country_id = o.shipping_country_id
            LEFT JOIN `{$prefix}zone` pz ON pz.zone_id = o.payment_zone_id
            LEFT JOIN `{$prefix}zone` sz ON sz.zone_id = o.shipping_zone_id
            WHERE o.order_id IN ($in) ORDER BY o.order_id")->rows;
        $lines = $this->db->query("SELECT * FROM `{$prefix}order_product` WHERE order_id IN ($in) ORDER BY order_product_id")->rows;
        $about = $this->about(array_map('intval', array_column($lines, 'product_id')));
        $options = $this->grouped($this->db->query("SELECT order_product_id, name, value FROM `{$prefix}order_option`
            WHERE order_id IN ($in) ORDER BY order_option_id")->rows, 'order_product_id');
        foreach ($lines as &$line) {
            $line['options'] = $options[$line['order_product_id']] ?? [];
            $line += $about[(int) $line['product_id']] ?? [];
        }
        unset($line);
        $lines = $this->grouped($lines, 'order_id');
        $totals = $this->grouped($this->db->query("SELECT order_id, code, title, value FROM `{$prefix}order_total`
            WHERE order_id IN ($in) ORDER BY sort_order")->rows, 'order_id');
        $histories = $this->grouped($this->db->query("SELECT order_history_id, order_id, order_status_id, date_added
            FROM `{$prefix}order_history` WHERE order_id IN ($in) ORDER BY order_history_id")->rows, 'order_id');
        $records = [];
        foreach ($orders as $order) {
            $id = $order['order_id'];
            $records[] = $this->decoded([
                'order' => array_diff_key($order, array_flip(self::UNWANTED)),
                'products' => $lines[$id] ?? [],
                'totals' => $totals[$id] ?? [],
                'histories' => $histories[$id] ?? [],
            ]);
        }
        return $records;
    }

    private function customers(array $ids): array
    {
        if (!$ids) {
            return [];
        }
        $columns = implode(', ', self::CUSTOMER);
        $rows = $this->db->query("SELECT $columns FROM `" . DB_PREFIX . 'customer` WHERE customer_id IN ('
            . implode(',', $ids) . ') ORDER BY customer_id')->rows;
        return array_map(function (array $row): array {
            return $this->decoded(['customer' => $row]);
        }, $rows);
    }

    private function products(array $ids): array
    {
        if (!$ids) {
            return [];
        }
        $prefix = DB_PREFIX;
        $language = (int) $this->config->get('config_language_id');
        $rows = $this->db->query("SELECT p.product_id, p.model, p.price, p.tax_class_id, p.quantity, p.status,
                p.date_added, p.date_modified, pd.name, pd.description
            FROM `{$prefix}product` p
            LEFT JOIN `{$prefix}product_description` pd ON pd.product_id = p.product_id AND pd.language_id = $language
            WHERE p.product_id IN (" . implode(',', $ids) . ') ORDER BY p.product_id')->rows;
        $about = $this->about($ids);
        $currency = $this->db->query("SELECT decimal_place FROM `{$prefix}currency`
            WHERE code = '" . $this->db->escape((string) $this->config->get('config_currency')) . "'")->row;
        $places = (int) ($currency['decimal_place'] ?? 2);
        $records = [];
        foreach ($rows as $row) {
            if ($this->tax) {
                $shown = $this->tax->calculate($row['price'], $row['tax_class_id'], $this->config->get('config_tax'));
                $row['price'] = number_format((float) $shown, $places, '.', '');
            }
            unset($row['tax_class_id']);
            $records[] = $this->decoded(['product' => $row + ($about[(int) $row['product_id']] ?? [])]);
        }
        return $records;
    }

    /** SKU, picture, brand and categories of products, by their ids. */
    private function about(array $ids): array
    {
        $ids = array_unique(array_filter($ids));
        if (!$ids) {
            return [];
        }
        $prefix = DB_PREFIX;
        $in = implode(',', $ids);
        $language = (int) $this->config->get('config_language_id');
        $about = [];
        foreach ($this->db->query("SELECT p.*, m.name AS manufacturer FROM `{$prefix}product` p
            LEFT JOIN `{$prefix}manufacturer` m ON m.manufacturer_id = p.manufacturer_id
            WHERE p.product_id IN ($in)")->rows as $row) {
            $about[(int) $row['product_id']] = [
                // Not a column of every release.
                'sku' => $row['sku'] ?? '',
                'image' => $row['image'],
                'manufacturer' => $row['manufacturer'],
                'categories' => [],
            ];
        }
        foreach ($this->db->query("SELECT pc.product_id, cd.name FROM `{$prefix}product_to_category` pc
            JOIN `{$prefix}category_description` cd ON cd.category_id = pc.category_id AND cd.language_id = $language
            WHERE pc.product_id IN ($in) ORDER BY pc.category_id")->rows as $row) {
            $about[(int) $row['product_id']]['categories'][] = $row['name'];
        }
        return $about;
    }

    private function grouped(array $rows, string $column): array
    {
        $groups = [];
        foreach ($rows as $row) {
            $groups[$row[$column]][] = $row;
        }
        return $groups;
    }

    /** OpenCart stores what people type as HTML: `Larch &amp; Linen`. */
    private function decoded(array $values): array
    {
        array_walk_recursive($values, static function (&$value): void {
            if (is_string($value)) {
                $value = html_entity_decode($value, ENT_QUOTES, 'UTF-8');
            }
        });
        return $values;
    }

    /**
     * Tells a decision about the newsletter when it is made: the customer's row keeps no time of it.
     *
     * Never throws: a registration must not end here.
     */
    public function tellNewsletter(int $customer_id, bool $subscribed): bool
    {
        $sql = 'SELECT email FROM `' . DB_PREFIX . "customer` WHERE customer_id = $customer_id";
        $row = $this->db->query($sql)->row;
        if (!$row || $row['email'] === '') {
            return false;
        }
        $person = ['customer_id' => (string) $customer_id, 'email' => $row['email']];
        return $this->send([[
            'fact' => 'consent',
            'person' => $person,
            'channel' => 'email',
            'status' => $subscribed ? 'SUBSCRIBED' : 'UNSUBSCRIBED',
            'at' => date(DATE_RFC3339),
            'method' => 'integration',
        ]]);
    }

    /** Sends facts, signed by the Standard Webhooks scheme; says whether they were taken. */
    private function send(array $facts): bool
    {
        $url = (string) $this->config->get('tillstream_url');
        $secret = (string) $this->config->get('tillstream_webhook_secret');
        $body = json_encode(['facts' => $facts], JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE);
        if ($url === '' || $secret === '' || $body === false) {
            return false;
        }
        $key = strpos($secret, 'whsec_') === 0 ? base64_decode(substr($secret, 6)) : $secret;
        $id = 'msg_' . bin2hex(random_bytes(12));
        $now = (string) time();
        $call = curl_init($url);
        curl_setopt_array($call, [
            CURLOPT_POST => true,
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT => 1,
            CURLOPT_TIMEOUT => 3,
            CURLOPT_HTTPHEADER => [
                'content-type: application/json',
                "webhook-id: $id",
                "webhook-timestamp: $now",
                'webhook-signature: v1,' . base64_encode(hash_hmac('sha256', "$id.$now.$body", $key, true)),
            ],
        ]);
        curl_exec($call);
        return curl_getinfo($call, CURLINFO_RESPONSE_CODE) === 200;
    }
}
