"""What ``verbose`` shows."""


def report(estimator, line):
    """Print a line about training where the estimator is verbose; scikit-learn does so on the standard output."""
    if estimator.verbose:
        print(line)
