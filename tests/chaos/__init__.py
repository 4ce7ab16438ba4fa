"""A program that does the worst to a running stack and then counts what was lost: nothing.

`python -m tests.chaos --seconds 300 --seed 1`. The parts: `script` says what the fake provider
answers to each question, `load` asks the questions, `follower` reads the answers through the
public protocol alone, `faults` hurts everything, `watch` keeps the times, `verdict` compares.

`python -m tests.chaos.attack` is another: it measures what an honest person notices of attackers.
"""
