"""County yields of many counties and years: naive levels, weather effects, intervals, proof."""
