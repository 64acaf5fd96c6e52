SELECT
  o.OrderID, o.CustomerID, o.OrderDate, o.LastModified, o.ShipDate, o.CancelDate, o.CancelReason,
  o.OrderStatus, o.PaymentAmount, o.Total_Payment_Received, o.Total_Payment_Authorized,
  o.Order_Entry_System, o.BillingFirstName, o.BillingLastName,
  o.BillingCompanyName, o.BillingAddress1, o.BillingAddress2, o.BillingCity, o.BillingState,
  o.BillingPostalCode, o.BillingCountry, o.BillingPhoneNumber, o.ShipFirstName, o.ShipLastName,
  o.ShipCompanyName, o.ShipAddress1, o.ShipAddress2, o.ShipCity, o.ShipState, o.ShipPostalCode,
  o.ShipCountry, o.ShipPhoneNumber,
  d.OrderDetailID, d.ProductCode, d.ProductID, d.ProductName, d.ProductPrice, d.Quantity,
  d.TotalPrice, d.CouponCode, d.QtyShipped, d.Returned, d.Returned_Date,
  c.EmailAddress, c.EmailSubscriber
FROM Orders o
  INNER JOIN OrderDetails d ON d.OrderID = o.OrderID
  LEFT JOIN Customers c ON c.CustomerID = o.CustomerID
WHERE o.OrderID > 0
