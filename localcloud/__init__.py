"""Google Cloud on loopback: what people and tests run cloud programs against. It never ships."""
