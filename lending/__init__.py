"""Turns agronomy into an explained credit offer; knows farmers, risk, policy and money."""
