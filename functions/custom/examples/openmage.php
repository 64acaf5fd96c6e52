<?php
/**
 * Magento 1 and OpenMage: app/code/local/Tillstream/Facts/Model/Observer.php, with tillstream.php beside it as call.php
 * and openmage-config.xml as the module's configuration.
 *
 * Configure: tillstream/general/url and tillstream/general/secret. Dates in the database are UTC.
 * Source: https://github.com/OpenMage/magento-lts, app/code/core/Mage/Sales/Model/Order.php.
 */
require_once __DIR__ . '/call.php';

class Tillstream_Facts_Model_Observer
{
    public function order(Varien_Event_Observer $observer)
    {
        $this->sendOrder($observer->getEvent()->getOrder());
    }

    public function shipment(Varien_Event_Observer $observer)
    {
        $this->sendOrder($observer->getEvent()->getShipment()->getOrder());
    }

    public function creditmemo(Varien_Event_Observer $observer)
    {
        $this->sendOrder($observer->getEvent()->getCreditmemo()->getOrder());
    }

    public function subscriber(Varien_Event_Observer $observer)
    {
        $subscriber = $observer->getEvent()->getSubscriber();
        $statuses = [
            Mage_Newsletter_Model_Subscriber::STATUS_SUBSCRIBED => 'SUBSCRIBED',
            Mage_Newsletter_Model_Subscriber::STATUS_UNSUBSCRIBED => 'UNSUBSCRIBED',
        ];
        // Unconfirmed and not active are nobody's decision.
        $status = $statuses[(int) $subscriber->getSubscriberStatus()] ?? null;
        if ($status !== null && $subscriber->getIsStatusChanged()) {
            $this->send([[
                'fact' => 'consent',
                'person' => ['email' => $subscriber->getSubscriberEmail()],
                'channel' => 'email',
                'status' => $status,
                'at' => gmdate('Y-m-d\TH:i:s\Z'),
                'method' => 'integration',
            ]]);
        }
    }

    private function sendOrder(Mage_Sales_Model_Order $order)
    {
        $currency = $order->getOrderCurrencyCode();
        $money = static function ($amount) use ($currency) {
            return ['amount' => (string) $amount, 'currency' => $currency];
        };
        $lines = [];
        // Visible items only: the hidden ones are the simple products of configurable ones.
        foreach ($order->getAllVisibleItems() as $item) {
            $lines[] = tillstream_said([
                'line_id' => (string) $item->getId(),
                'product_id' => (string) $item->getProductId(),
                'sku' => $item->getSku(),
                'name' => $item->getName(),
                'quantity' => (string) $item->getQtyOrdered(),
                'unit_price' => (string) $item->getPrice(),
                'total' => (string) ($item->getRowTotal() - $item->getDiscountAmount()),
            ]);
        }
        $shipments = [];
        foreach ($order->getShipmentsCollection() as $shipment) {
            $numbers = [];
            $company = null;
            foreach ($shipment->getAllTracks() as $track) {
                $numbers[] = (string) $track->getNumber();
                $company = $track->getTitle();
            }
            $shipments[] = tillstream_said([
                'shipment_id' => (string) $shipment->getId(),
                'at' => $this->time($shipment->getCreatedAt()),
                'company' => $company,
                'tracking_numbers' => array_values(array_filter($numbers)),
            ]);
        }
        $refunds = [];
        foreach ($order->getCreditmemosCollection() as $memo) {
            // Of one that is open or was cancelled no money has moved.
            if ((int) $memo->getState() !== Mage_Sales_Model_Order_Creditmemo::STATE_REFUNDED) {
                continue;
            }
            $refunds[] = [
                'refund_id' => (string) $memo->getId(),
                'at' => $this->time($memo->getCreatedAt()),
                'amount' => $money($memo->getGrandTotal()),
            ];
        }
        $state = $order->getState() === Mage_Sales_Model_Order::STATE_HOLDED
            ? $order->getHoldBeforeState()
            : $order->getState();
        $placed = $this->isPlaced($order, $state);
        $updated = $this->time($order->getUpdatedAt());
        $edited = $order->getRelationChildId() !== null;
        $replaces = $order->getRelationParentId() !== null;
        $this->send([tillstream_said([
            'fact' => 'order',
            // The number of the first: both orders of an edit are one.
            'order_id' => (string) ($order->getOriginalIncrementId() ?: $order->getIncrementId()),
            'person' => tillstream_said([
                'email' => $order->getCustomerEmail(),
                'customer_id' => $order->getCustomerId() ? (string) $order->getCustomerId() : null,
                'attributes' => tillstream_said([
                    'first_name' => $order->getCustomerFirstname(),
                    'last_name' => $order->getCustomerLastname(),
                ]),
            ]),
            'updated_at' => $updated,
            // An edited order is cancelled and made anew: that is neither a cancellation nor a second order.
            'placed_at' => $replaces || !$placed ? null : $this->time($order->getCreatedAt()),
            'detail' => tillstream_said([
                'number' => $order->getIncrementId(),
                'total' => $money($order->getGrandTotal()),
                'total_discounts' => (string) abs((float) $order->getDiscountAmount()),
                'discount_codes' => array_values(array_filter([(string) $order->getCouponCode()])),
                'lines' => $lines,
                'shop_id' => (string) $order->getStoreId(),
            ]),
            'shipments' => $shipments,
            'fulfilled_at' => $state === Mage_Sales_Model_Order::STATE_COMPLETE ? $updated : null,
            'refunds' => $refunds,
            // What nobody bought cannot be cancelled.
            'cancelled' => $state === Mage_Sales_Model_Order::STATE_CANCELED && !$edited && ($placed || $replaces)
                ? ['at' => $updated]
                : null,
        ])]);
    }

    /**
     * Every order but one that waits for its payment. One that was cancelled may never have left that state, so it counts
     * if something shows that it did.
     */
    private function isPlaced(Mage_Sales_Model_Order $order, $state): bool
    {
        if ($state !== Mage_Sales_Model_Order::STATE_CANCELED) {
            return $state !== Mage_Sales_Model_Order::STATE_PENDING_PAYMENT;
        }
        if ($order->getEmailSent() || $order->getTotalPaid() > 0 || $order->getTotalInvoiced() > 0) {
            return true;
        }
        foreach ($order->getStatusHistoryCollection() as $entry) {
            $status = (string) $entry->getStatus();
            $waits = strpos($status, 'pending_') === 0 || in_array($status, ['', 'canceled', $order->getStatus()], true);
            if (!$waits) {
                return true;
            }
        }
        return false;
    }

    private function time($utc): ?string
    {
        return tillstream_time($utc === null ? null : (string) $utc, 'UTC');
    }

    private function send(array $facts)
    {
        try {
            $url = (string) Mage::getStoreConfig('tillstream/general/url');
            $secret = (string) Mage::helper('core')->decrypt(Mage::getStoreConfig('tillstream/general/secret'));
            if (!tillstream_send($url, $secret, $facts)) {
                Mage::log('Tillstream did not take a delivery', Zend_Log::WARN);
            }
        } catch (Throwable $error) {
            Mage::log('Tillstream: ' . get_class($error), Zend_Log::WARN);
        }
    }
}
