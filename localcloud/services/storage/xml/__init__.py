"""The XML API of Cloud Storage: links, forms and signatures, each call one of JSON's in the end."""
