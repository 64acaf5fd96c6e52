<?php
/**
 * PrestaShop 1.7 to 9: modules/tillstream/tillstream.php, with tillstream.php beside it as call.php.
 *
 * Hooks: https://devdocs.prestashop-project.org/9/modules/concepts/hooks/list-of-hooks/
 * Configure: TILLSTREAM_URL and TILLSTREAM_SECRET (ps_configuration). Dates are in the shop's zone (PS_TIMEZONE).
 */
if (!defined('_PS_VERSION_')) {
    exit;
}

require_once __DIR__ . '/call.php';

class Tillstream extends Module
{
    const HOOKS = [
        'actionValidateOrder',
        'actionOrderStatusPostUpdate',
        'actionOrderSlipAdd',
        'actionAdminOrdersTrackingNumberUpdate',
        'actionCustomerAccountAdd',
        'actionCustomerAccountUpdate',
    ];

    public function __construct()
    {
        $this->name = 'tillstream';
        $this->tab = 'analytics_stats';
        $this->version = '1.0.0';
        $this->author = 'you';
        parent::__construct();
        $this->displayName = 'Tillstream';
        $this->description = 'Sends orders and customers to Tillstream.';
    }

    public function install()
    {
        return parent::install() && $this->registerHook(self::HOOKS);
    }

    public function hookActionValidateOrder(array $params)
    {
        $this->sendOrder($params['order']);
    }

    public function hookActionOrderStatusPostUpdate(array $params)
    {
        $this->sendOrder(new Order((int) $params['id_order']));
    }

    public function hookActionOrderSlipAdd(array $params)
    {
        $this->sendOrder($params['order']);
    }

    public function hookActionAdminOrdersTrackingNumberUpdate(array $params)
    {
        $this->sendOrder($params['order']);
    }

    public function hookActionCustomerAccountAdd(array $params)
    {
        $this->sendCustomer($params['newCustomer']);
    }

    public function hookActionCustomerAccountUpdate(array $params)
    {
        $this->sendCustomer($params['customer']);
    }

    private function sendCustomer(Customer $customer)
    {
        // The newsletter flag has no time of its own: consent is only sent where you know when it was given.
        $this->send([[
            'fact' => 'customer',
            'person' => $this->person($customer),
            'updated_at' => $this->time($customer->date_upd),
        ]]);
    }

    private function sendOrder(Order $order)
    {
        $currency = (new Currency((int) $order->id_currency))->iso_code;
        $money = static function ($amount) use ($currency) {
            return ['amount' => (string) $amount, 'currency' => $currency];
        };
        $state = new OrderState((int) $order->getCurrentState());
        $now = $this->time($order->date_upd);

        $lines = [];
        foreach ($order->getProducts() as $row) {
            $lines[] = tillstream_said([
                'line_id' => (string) $row['id_order_detail'],
                'product_id' => (string) $row['product_id'],
                'variant_id' => $row['product_attribute_id'] ? (string) $row['product_attribute_id'] : null,
                'sku' => $row['product_reference'],
                'name' => $row['product_name'],
                'quantity' => (string) $row['product_quantity'],
                'unit_price' => (string) $row['unit_price_tax_incl'],
                'total' => (string) $row['total_price_tax_incl'],
            ]);
        }
        $refunds = [];
        foreach (OrderSlip::getOrdersSlip((int) $order->id_customer, (int) $order->id) as $slip) {
            // The products, unless the merchant chose another amount; less the order's vouchers, if the slip leaves them out.
            $listed = [(float) $slip['total_products_tax_incl'], (float) $slip['total_products_tax_excl']];
            $amount = (float) $slip['amount'];
            $products = in_array($amount, $listed, true) ? $listed[0] : $amount;
            if ((int) $slip['order_slip_type'] === 1 && $amount === $listed[0]) {
                $products -= (float) $order->total_discounts_tax_incl;
            }
            $refunds[] = [
                'refund_id' => (string) $slip['id_order_slip'],
                'at' => $this->time($slip['date_add']),
                'amount' => $money(round($products + (float) $slip['total_shipping_tax_incl'], 6)),
            ];
        }
        $shipments = [];
        foreach ($state->shipped ? $order->getShipping() : [] as $carrier) {
            $shipments[] = tillstream_said([
                'shipment_id' => (string) $carrier['id_order_carrier'],
                'at' => $now,
                'company' => $carrier['carrier_name'],
                'tracking_numbers' => array_values(array_filter([(string) $carrier['tracking_number']])),
            ]);
        }
        $cancelled = (int) $state->id === (int) Configuration::get('PS_OS_CANCELED');
        $failed = (int) $state->id === (int) Configuration::get('PS_OS_ERROR');
        $this->send([tillstream_said([
            'fact' => 'order',
            'order_id' => (string) $order->id,
            'person' => $this->person(new Customer((int) $order->id_customer)),
            'updated_at' => $now,
            // An order whose payment failed was not placed.
            'placed_at' => $failed ? null : $this->time($order->date_add),
            'detail' => tillstream_said([
                'number' => $order->reference,
                'total' => $money($order->total_paid_tax_incl),
                'total_discounts' => (string) $order->total_discounts_tax_incl,
                'discount_codes' => array_column($order->getCartRules(), 'name'),
                'lines' => $lines,
                'shop_id' => (string) $order->id_shop,
                'source_name' => 'web',
            ]),
            'shipments' => $shipments,
            'fulfilled_at' => $state->shipped ? $now : null,
            'refunds' => $refunds,
            'cancelled' => $cancelled ? ['at' => $now] : null,
        ])]);
    }

    private function person(Customer $customer): array
    {
        return tillstream_said([
            'email' => $customer->email,
            // A guest's record is made anew with each order.
            'customer_id' => $customer->is_guest ? null : (string) $customer->id,
            'attributes' => tillstream_said(['first_name' => $customer->firstname, 'last_name' => $customer->lastname]),
        ]);
    }

    private function time(?string $local): ?string
    {
        return tillstream_time($local, (string) Configuration::get('PS_TIMEZONE') ?: 'UTC');
    }

    private function send(array $facts)
    {
        try {
            $url = (string) Configuration::get('TILLSTREAM_URL');
            if (!tillstream_send($url, (string) Configuration::get('TILLSTREAM_SECRET'), $facts)) {
                PrestaShopLogger::addLog('Tillstream did not take a delivery', 2);
            }
        } catch (Throwable $error) {
            PrestaShopLogger::addLog('Tillstream: ' . get_class($error), 2);
        }
    }
}
