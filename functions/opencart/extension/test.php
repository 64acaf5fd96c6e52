<?php
/**
 * Tries what the events tell, without OpenCart: php test.php. Both builds, and the arguments of older and newer releases.
 */
namespace Opencart\System\Engine {
    class Controller
    {
        public $db, $config, $log, $customer;
    }
}

namespace {
    class Controller extends \Opencart\System\Engine\Controller
    {
    }

    /** Stands in for the library. */
    class TillstreamLibrary
    {
        public static $told = [];

        public function __construct($db, $config, $tax = null)
        {
        }

        public function tellNewsletter(int $customer_id, bool $subscribed): bool
        {
            self::$told[] = [$customer_id, $subscribed];
            return true;
        }
    }

    class LoggedIn
    {
        public function getId(): string
        {
            return '31';
        }
    }

    $folder = sys_get_temp_dir() . '/tillstream-' . bin2hex(random_bytes(6));
    mkdir($folder);
    file_put_contents("$folder/library.php", '<?php');
    $builds = [
        3 => ['opencart3/catalog/controller/extension/tillstream/event.php', 'ControllerExtensionTillstreamEvent'],
        4 => ['opencart4/catalog/controller/event.php', 'Opencart\\Catalog\\Controller\\Extension\\Tillstream\\Event'],
    ];
    $cases = [
        'a registration with the box' => ['added', [['newsletter' => '1']], 7, [[7, true]]],
        'a registration without it' => ['added', [['newsletter' => '0']], 7, []],
        'a registration that does not ask' => ['added', [[]], 7, []],
        'the box is ticked' => ['newsletter', ['1'], null, [[31, true]]],
        'the box is cleared' => ['newsletter', ['0'], null, [[31, false]]],
        'the box is ticked, newer' => ['newsletter', [9, true], null, [[9, true]]],
        'the box is cleared, newer' => ['newsletter', [9, false], null, [[9, false]]],
    ];
    $failures = 0;
    foreach ($builds as $release => [$file, $class]) {
        copy(__DIR__ . "/$file", "$folder/event$release.php");
        require "$folder/event$release.php";
        foreach ($cases as $name => [$method, $args, $output, $expected]) {
            $event = new $class();
            $event->customer = new LoggedIn();
            TillstreamLibrary::$told = [];
            $route = '';
            $event->$method($route, $args, $output);
            $right = TillstreamLibrary::$told === $expected;
            $failures += $right ? 0 : 1;
            echo $right ? 'ok      ' : 'FAILED  ', "OpenCart $release: $name\n";
        }
    }
    array_map('unlink', glob("$folder/*"));
    rmdir($folder);
    exit($failures ? 1 : 0);
}
