<?php
/** OpenCart 3: upload/catalog/controller/extension/tillstream/feed.php, route extension/tillstream/feed. */
require_once __DIR__ . '/library.php';

class ControllerExtensionTillstreamFeed extends Controller
{
    public function index()
    {
        $library = new TillstreamLibrary($this->db, $this->config, $this->tax);
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
