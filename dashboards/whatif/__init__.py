"""What if: scenarios of the address, their runs in the background, and what the page shows of them."""
