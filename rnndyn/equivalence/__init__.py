"""The classical models that a recurrent network is equal to: state space, VARMA, HMM, ODE, automaton."""
