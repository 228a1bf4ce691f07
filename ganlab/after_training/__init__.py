"""What happens after training: sampling and measuring checkpoints, learning features."""
