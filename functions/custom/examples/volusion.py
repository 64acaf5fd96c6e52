#!/usr/bin/env python3
"""Volusion V1: asks a store for orders of one status and sends them as facts. Run it from cron, once for each status.

    STORE=https://store.example LOGIN=… ENCRYPTED_PASSWORD=… ZONE=America/Chicago CURRENCY=USD \\
    WEBHOOK_URL=… WEBHOOK_SECRET=whsec_… python3 volusion.py New Processing Shipped Cancelled

The store's API takes one condition only, and without one it hands out each row once and never again: always ask with a
status. Orders name no e-mail address: they are joined with Generic\\Customers. Python 3.9 or newer, nothing else.
"""
import base64, hashlib, hmac, json, os, secrets, sys, time, urllib.parse, urllib.request
import xml.etree.ElementTree as ET
from datetime import datetime
from zoneinfo import ZoneInfo

# The merchant's words for "no order yet", "on its way" and "called off".
NOT_PLACED = {"Payment Declined"}
SHIPPED = {"Shipped"}
CANCELLED = {"Cancelled", "Cancel Order"}
BATCH = 100


def ask(table, column, value):
    query = urllib.parse.urlencode({
        "Login": os.environ["LOGIN"], "EncryptedPassword": os.environ["ENCRYPTED_PASSWORD"],
        "EDI_Name": f"Generic\\{table}", "SELECT_Columns": "*", "WHERE_Column": column, "WHERE_Value": value})
    with urllib.request.urlopen(f"{os.environ['STORE']}/net/WebService.aspx?{query}", timeout=60) as answer:
        text = answer.read().strip()
    if not text:
        sys.exit("an empty answer: the credentials are not right")
    return [row for row in ET.fromstring(text)]


def moment(text, zone):
    """12/13/2012 10:17:00 AM, the store's clock."""
    for form in ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone)).isoformat()
        except (TypeError, ValueError):
            pass
    return None


def said(fields):
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def fact(order, email, zone, currency):
    text = lambda row, name: (row.findtext(name) or "").strip()
    status = text(order, "OrderStatus")
    updated = moment(text(order, "LastModified"), zone)
    shipped_at = moment(text(order, "ShipDate"), zone) or updated
    order_id = text(order, "OrderID")
    lines = [said({
        "line_id": text(row, "OrderDetailID"), "product_id": text(row, "ProductID"), "sku": text(row, "ProductCode"),
        "name": text(row, "ProductName"), "quantity": text(row, "Quantity") or "1",
        "unit_price": text(row, "ProductPrice"), "total": text(row, "TotalPrice"),
    }) for row in order.iter("OrderDetails")]
    shipped = status in SHIPPED and shipped_at
    return said({
        "fact": "order", "order_id": order_id,
        "person": said({
            "email": email, "customer_id": text(order, "CustomerID"), "phone": text(order, "BillingPhoneNumber"),
            "attributes": said({"first_name": text(order, "BillingFirstName"), "last_name": text(order, "BillingLastName")}),
        }),
        "updated_at": updated,
        "placed_at": None if status in NOT_PLACED else moment(text(order, "OrderDate"), zone),
        "detail": said({"number": order_id, "total": {"amount": text(order, "PaymentAmount") or "0", "currency": currency},
                        "lines": lines}),
        "shipments": [{"shipment_id": f"{order_id}-1", "at": shipped_at}] if shipped else [],
        "fulfilled_at": shipped_at if shipped else None,
        "cancelled": {"at": moment(text(order, "CancelDate"), zone) or updated} if status in CANCELLED else None,
    })


def send(facts):
    body = json.dumps({"facts": facts}).encode()
    secret = os.environ["WEBHOOK_SECRET"]
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    id, now = "msg_" + secrets.token_hex(12), str(int(time.time()))
    digest = hmac.new(key, f"{id}.{now}.".encode() + body, hashlib.sha256).digest()
    headers = {"content-type": "application/json", "webhook-id": id, "webhook-timestamp": now,
               "webhook-signature": "v1," + base64.b64encode(digest).decode()}
    urllib.request.urlopen(urllib.request.Request(os.environ["WEBHOOK_URL"], body, headers), timeout=10).close()


def main(statuses):
    emails, facts = {}, []
    for status in statuses:
        for order in ask("Orders", "o.OrderStatus", status):
            customer = (order.findtext("CustomerID") or "").strip()
            if customer and customer not in emails:
                rows = ask("Customers", "CustomerID", customer)
                emails[customer] = rows[0].findtext("EmailAddress") if rows else None
            facts.append(fact(order, emails.get(customer), os.environ["ZONE"], os.environ["CURRENCY"]))
    for start in range(0, len(facts), BATCH):
        send(facts[start:start + BATCH])


def self_test():
    order = ET.fromstring(
        "<Orders><OrderID>9</OrderID><CustomerID>4</CustomerID><OrderStatus>Shipped</OrderStatus>"
        "<OrderDate>7/4/2026 10:17:00 AM</OrderDate><ShipDate>7/5/2026</ShipDate><PaymentAmount>24.00</PaymentAmount>"
        "<OrderDetails><OrderDetailID>1</OrderDetailID><ProductCode>MUG</ProductCode><ProductName>Mug</ProductName>"
        "<ProductPrice>12.00</ProductPrice><Quantity>2</Quantity><TotalPrice>24.00</TotalPrice></OrderDetails></Orders>")
    print(json.dumps({"facts": [fact(order, "ann@example.com", "America/Chicago", "USD")]}, indent=1))


if __name__ == "__main__":
    self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1:])
