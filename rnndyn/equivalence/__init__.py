"""Classical models that a recurrent network is equal to: each module is one of them."""
