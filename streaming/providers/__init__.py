"""The providers of replies: a leaf that knows no Django, no models and no stored key."""
