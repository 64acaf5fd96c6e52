<?php
/** OpenCart 4: extension/tillstream/catalog/controller/event.php; the events are registered as the README shows. */
namespace Opencart\Catalog\Controller\Extension\Tillstream;

require_once __DIR__ . '/library.php';

class Event extends \Opencart\System\Engine\Controller
{
    /** After catalog/model/account/customer.addCustomer: $args[0] is the form, $output the new id. */
    public function added(string &$route, array &$args, &$output): void
    {
        if (!empty($args[0]['newsletter'])) {
            $this->tell((int) $output, true);
        }
    }

    /** After catalog/model/account/customer.editNewsletter: the box comes last; newer releases name the customer before it. */
    public function newsletter(string &$route, array &$args, &$output): void
    {
        $customer_id = count($args) > 1 ? $args[0] : $this->customer->getId();
        $this->tell((int) $customer_id, !empty(end($args)));
    }

    private function tell(int $customer_id, bool $subscribed): void
    {
        try {
            if (!(new \TillstreamLibrary($this->db, $this->config))->tellNewsletter($customer_id, $subscribed)) {
                $this->log->write('Tillstream did not take a decision about the newsletter');
            }
        } catch (\Throwable $error) {
            $this->log->write('Tillstream: ' . get_class($error));
        }
    }
}
