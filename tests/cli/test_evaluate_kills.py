"""One evaluation after another, each killed at another of 50 instants spread uniformly over an undisturbed run's time, and
gone on with: the content is the same, value for value."""
import unittest

from test_evaluate import EvaluateTest


class FiftyKills(EvaluateTest):
    def test_killed_at_fifty_instants(self):
        self.killed_at(self.seconds * (k + 0.5) / 50 for k in range(50))


if __name__ == "__main__":
    unittest.main()
