import os

print("The secret key is:", os.getenv("SECRET_KEY"), flush=True)
