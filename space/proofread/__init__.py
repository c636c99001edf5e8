"""The library: a draft becomes edits. It knows no page and no Hub; training and conversion import it too."""
