"""How many pods of what size a release needs: from load-test facts and a policy, with the arithmetic written out.

Everything here is a function of its arguments; ``live`` alone asks the cluster. Figures are exact (fractions) until
they are written down: memory in bytes, CPU in cores, users and orders as counts.
"""
