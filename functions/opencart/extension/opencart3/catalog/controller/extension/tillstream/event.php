<?php
/** OpenCart 3: upload/catalog/controller/extension/tillstream/event.php; the events are registered as the README shows. */
require_once __DIR__ . '/library.php';

class ControllerExtensionTillstreamEvent extends Controller
{
    /** After catalog/model/account/customer/addCustomer: $args[0] is the form, $output the new id. */
    public function added(&$route, &$args, &$output)
    {
        if (!empty($args[0]['newsletter'])) {
            $this->tell((int) $output, true);
        }
    }

    /** After catalog/model/account/customer/editNewsletter: the box comes last; newer releases name the customer before it. */
    public function newsletter(&$route, &$args, &$output)
    {
        $customer_id = count($args) > 1 ? $args[0] : $this->customer->getId();
        $this->tell((int) $customer_id, !empty(end($args)));
    }

    private function tell(int $customer_id, bool $subscribed)
    {
        try {
            if (!(new TillstreamLibrary($this->db, $this->config))->tellNewsletter($customer_id, $subscribed)) {
                $this->log->write('Tillstream did not take a decision about the newsletter');
            }
        } catch (\Throwable $error) {
            $this->log->write('Tillstream: ' . get_class($error));
        }
    }
}
