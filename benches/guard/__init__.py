"""What keeps awxfast fast: parts of it against yardsticks, and their ratios against a committed baseline."""
