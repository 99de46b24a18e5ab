"""Energies and forces for a program that moves the nuclei itself, by the protocol of i-PI.

``python socket_client.py formaldehyde.xyz 31415`` connects to a port of this machine, any other
word than a number to the UNIX socket ``/tmp/ipi_WORD``. The other side is i-PI, LAMMPS (``fix
ipi``), or ASE's own SocketIOCalculator; it has to be there first.
"""

import sys

from ase.calculators.socketio import SocketClient
from ase.io import read

from mlsemi import MLSemi

structure, where = sys.argv[1:]
atoms = read(structure)
atoms.pbc = False  # the protocol always sends a cell; this is one molecule
atoms.calc = MLSemi()
place = {"port": int(where)} if where.isdecimal() else {"unixsocket": where}
SocketClient(**place).run(atoms)
