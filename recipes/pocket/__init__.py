"""How the embedded model `pocket` is made: data, training, evaluation and model card, run by one command."""
