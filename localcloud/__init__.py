"""Google Cloud on loopback: what people and tests run Berth against. It never ships."""
