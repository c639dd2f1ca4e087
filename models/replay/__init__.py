"""What another boundary would have done to cases already seen, and to the people who review them."""
