"""A program that injects faults into a running stack and then counts the lost text.

`python -m tests.chaos --seconds 300 --seed 1`. The parts: `script` defines the fake provider's
answer to each question, `load` asks the questions, `follower` reads the answers through the public
doors alone, `faults` injects the faults, `monitor` measures the times, `verdict` compares the
results, and `protections` can switch one protection off.

`python -m tests.chaos.attack` is another program: it measures how much attackers affect an honest
person.
"""
