"""One evaluation of two networks after another, each killed at another of 50 instants spread uniformly over an undisturbed
run's time, and gone on with: the content is the same, value for value."""
import unittest

from evaluation import KillTest


class FiftyKills(KillTest):
    @classmethod
    def command(cls, database, *more, iterations=40):
        name, first, *rest = super().command(database, *more, iterations=iterations)
        return [name, first, "demo-vit", *rest]

    def test_killed_at_fifty_instants(self):
        # Fewer than fifty, for a run that meets less other work than the first did has ended before the last instants.
        self.killed_at((self.seconds * (k + 0.5) / 50 for k in range(50)), least_kills=30, least_states=8)


if __name__ == "__main__":
    unittest.main()
