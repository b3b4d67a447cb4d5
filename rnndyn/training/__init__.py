"""Training by gradient descent: optimisers, schedules of the learning rate, the loop, and its file to resume from."""
