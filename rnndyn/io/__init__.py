"""Files and other frameworks: networks and results in and out."""
