"""The adapted language model measured: who is held out, what is asked, beside every other way."""
