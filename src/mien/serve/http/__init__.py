"""What a request meets before and after its route: who may come in, how much, how it is refused."""
