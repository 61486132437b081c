"""Opens a sealed .mana archive without manabackup: python open-sealed.py FILE.mana FOLDER"""

import base64
import getpass
import hashlib
import io
import json
import os
import sys
import zipfile

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

source, folder = sys.argv[1:]
with zipfile.ZipFile(source) as archive:
    seal = json.loads(archive.read("manifest.json"))["passphrase"]
    sealed = archive.read("data.sealed")
salt, iv = (base64.urlsafe_b64decode(seal[name] + "==") for name in ("kdfSaltBase64", "ivBase64"))
passphrase = getpass.getpass("passphrase: ").encode()
key = hashlib.pbkdf2_hmac("sha256", passphrase, salt, seal["kdfIterations"], 32)
body = AESGCM(key).decrypt(iv, sealed, None)  # InvalidTag: the passphrase is wrong, or the file is damaged
os.umask(0o077)
zipfile.ZipFile(io.BytesIO(body)).extractall(folder)
