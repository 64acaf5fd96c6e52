<?php
/**
 * The signed call to a custom source. Needs PHP 7.2 or newer with curl.
 *
 * Returns whether the facts were taken. Never throws: a shop's checkout must not end here.
 */
function tillstream_send(string $url, string $secret, array $facts, int $timeout_s = 3): bool
{
    $body = json_encode(['facts' => $facts], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
    if ($body === false) {
        return false;
    }
    $key = strpos($secret, 'whsec_') === 0 ? base64_decode(substr($secret, 6)) : $secret;
    $id = 'msg_' . bin2hex(random_bytes(12));
    $now = (string) time();
    $signature = base64_encode(hash_hmac('sha256', "$id.$now.$body", $key, true));
    $call = curl_init($url);
    curl_setopt_array($call, [
        CURLOPT_POST => true,
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_CONNECTTIMEOUT => 1,
        CURLOPT_TIMEOUT => $timeout_s,
        CURLOPT_HTTPHEADER => [
            'content-type: application/json',
            "webhook-id: $id",
            "webhook-timestamp: $now",
            "webhook-signature: v1,$signature",
        ],
    ]);
    curl_exec($call);
    return curl_getinfo($call, CURLINFO_RESPONSE_CODE) === 200;
}

/** A local time such as `2026-03-14 10:20:11` in a zone, as RFC 3339; null for none and for `0000-00-00 00:00:00`. */
function tillstream_time(?string $local, string $zone): ?string
{
    if ($local === null || $local === '' || strpos($local, '0000-00-00') === 0) {
        return null;
    }
    return (new DateTimeImmutable($local, new DateTimeZone($zone)))->format(DATE_RFC3339);
}

/** Without what is null or an empty text: absent means "not said". */
function tillstream_said(array $fields): array
{
    return array_filter($fields, static function ($value) {
        return $value !== null && $value !== '' && $value !== [];
    });
}
