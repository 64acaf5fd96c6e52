<?php
/** OpenCart 4: extension/tillstream/catalog/controller/feed.php, route extension/tillstream/feed. */
namespace Opencart\Catalog\Controller\Extension\Tillstream;

require_once __DIR__ . '/library.php';

class Feed extends \Opencart\System\Engine\Controller
{
    public function index(): void
    {
        $library = new \TillstreamLibrary($this->db, $this->config, $this->tax);
        $allowed = $library->isAllowed((string) ($this->request->server['HTTP_X_TILLSTREAM_TOKEN'] ?? ''));
        $answer = $allowed ? $library->answer($this->request->get) : null;
        if ($answer === null) {
            $this->response->addHeader(($this->request->server['SERVER_PROTOCOL'] ?? 'HTTP/1.1')
                . ($allowed ? ' 404 Not Found' : ' 401 Unauthorized'));
            $answer = ['error' => $allowed ? 'no such list' : 'not allowed'];
        }
        $this->response->addHeader('Content-Type: application/json');
        $this->response->addHeader('Cache-Control: no-store');
        $this->response->setOutput(json_encode($answer, JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE));
    }
}
