"""How endpoints do: traffic, captured rows, drift, what became true, alarms, and the page that shows it all."""
