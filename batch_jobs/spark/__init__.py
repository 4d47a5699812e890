"""The program that Spark runs: a recipe on data in the lake. It needs neither the registry nor an AWS library."""
