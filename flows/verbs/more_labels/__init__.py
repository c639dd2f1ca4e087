"""How more labels are bought: sprints, draws from the store, the label budget, closed periods and look-backs."""
