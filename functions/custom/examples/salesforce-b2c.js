'use strict';
/**
 * Salesforce B2C Commerce: a job step (chunk-less script module) in a cartridge, run every few minutes per site. It sends the
 * orders that changed since its last run, with two minutes of overlap: sending one twice does no harm.
 *
 * steptypes.json: { "script-module-step": [{ "@type-id": "custom.Tillstream", "module": "<cartridge>/cartridge/scripts/tillstream.js",
 *   "function": "run" }] }
 * Site preferences: tillstreamSecret (password), tillstreamLastRun (datetime). A service `tillstream.http` with the webhook's address
 * as its URL. Consent is not in orders and is not sent.
 * Source: https://salesforcecommercecloud.github.io/b2c-dev-doc/ (dw.order.Order, dw.crypto.Mac, dw.svc.LocalServiceRegistry).
 */

var OVERLAP_MS = 2 * 60 * 1000;
var BATCH = 100;

/** The facts of one order. Status and amounts are read by their documented constants' texts. */
function fact(order) {
    var status = String(order.status);
    var shippingStatus = String(order.shippingStatus);
    var currency = order.currencyCode;
    var updated = order.lastModified.toISOString();
    // Created and failed orders were never placed.
    var placed = ['NEW', 'OPEN', 'COMPLETED', 'CANCELLED'].indexOf(status) >= 0;
    var lines = order.productLineItems.toArray().map(function (item) {
        return {
            line_id: String(item.UUID),
            product_id: item.product && item.product.variant ? item.product.masterProduct.ID : item.productID,
            variant_id: item.productID,
            sku: item.productID,
            name: item.productName,
            quantity: item.quantity.value,
            unit_price: item.basePrice.decimalValue.toString(),
            total: item.proratedPrice.decimalValue.toString()
        };
    });
    var result = {
        fact: 'order',
        order_id: order.orderNo,
        person: {
            email: order.customerEmail || undefined,
            // A guest's number is no customer's.
            customer_id: (order.customer && order.customer.registered && order.customerNo) || undefined,
            attributes: { first_name: order.billingAddress && order.billingAddress.firstName, last_name: order.billingAddress && order.billingAddress.lastName }
        },
        updated_at: updated,
        placed_at: placed ? order.creationDate.toISOString() : undefined,
        detail: {
            number: order.orderNo,
            total: { amount: order.totalGrossPrice.decimalValue.toString(), currency: currency },
            discount_codes: order.couponLineItems.toArray().map(function (coupon) { return coupon.couponCode; }),
            lines: lines
        },
        shipments: order.shipments.toArray().filter(function (shipment) {
            // The one that every order begins with stays, empty, where all went into others.
            var isEmpty = shipment.productLineItems.empty && shipment.giftCertificateLineItems.empty;
            return String(shipment.shippingStatus) === 'SHIPPED' && !isEmpty;
        }).map(function (shipment) {
            return {
                shipment_id: shipment.ID,
                at: updated,
                company: (shipment.shippingMethod && shipment.shippingMethod.displayName) || undefined,
                tracking_numbers: shipment.trackingNumber ? [shipment.trackingNumber] : []
            };
        }),
        fulfilled_at: shippingStatus === 'SHIPPED' ? updated : undefined,
        cancelled: status === 'CANCELLED' ? { at: updated, reason: order.cancelDescription || undefined } : undefined
    };
    return result;
}

function send(facts, secret) {
    var Mac = require('dw/crypto/Mac');
    var Encoding = require('dw/crypto/Encoding');
    var Bytes = require('dw/util/Bytes');
    var UUIDUtils = require('dw/util/UUIDUtils');
    var LocalServiceRegistry = require('dw/svc/LocalServiceRegistry');

    var body = JSON.stringify({ facts: facts });
    var id = 'msg_' + UUIDUtils.createUUID();
    var now = String(Math.floor(Date.now() / 1000));
    var key = secret.indexOf('whsec_') === 0 ? Encoding.fromBase64(secret.substring(6)) : new Bytes(secret, 'UTF-8');
    var digest = new Mac(Mac.HMAC_SHA_256).digest(new Bytes(id + '.' + now + '.' + body, 'UTF-8'), key);
    var service = LocalServiceRegistry.createService('tillstream.http', {
        createRequest: function (svc) {
            svc.setRequestMethod('POST');
            svc.addHeader('content-type', 'application/json');
            svc.addHeader('webhook-id', id);
            svc.addHeader('webhook-timestamp', now);
            svc.addHeader('webhook-signature', 'v1,' + Encoding.toBase64(digest));
            return body;
        },
        parseResponse: function (svc, client) { return client.statusCode; }
    });
    return service.call().ok;
}

function run() {
    var OrderMgr = require('dw/order/OrderMgr');
    var Site = require('dw/system/Site');
    var Status = require('dw/system/Status');
    var Transaction = require('dw/system/Transaction');

    var site = Site.getCurrent();
    var secret = site.getCustomPreferenceValue('tillstreamSecret');
    var last = site.getCustomPreferenceValue('tillstreamLastRun');
    var began = new Date();
    var since = new Date((last ? last.getTime() : 0) - (last ? OVERLAP_MS : 0));
    var orders = OrderMgr.searchOrders('lastModified >= {0}', 'lastModified asc', since);
    try {
        while (orders.hasNext()) {
            var facts = [];
            while (orders.hasNext() && facts.length < BATCH) {
                facts.push(fact(orders.next()));
            }
            if (!send(facts, secret)) {
                // The time of the last run stays: the next run begins where this one did.
                return new Status(Status.ERROR, 'ERROR', 'a delivery was not taken');
            }
        }
    } finally {
        orders.close();
    }
    Transaction.wrap(function () { site.setCustomPreferenceValue('tillstreamLastRun', began); });
    return new Status(Status.OK);
}

module.exports = { run: run, fact: fact };
