"""What only development needs: embedded servers, and `metacortex up`."""
