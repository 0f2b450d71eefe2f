"""How good the doctor is: faults built into real trainings, healthy runs, and what it says of both."""
